"""What a setting may look like: the types of the settings' fields."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _version(value: str) -> str:
    if value != "latest" and not re.fullmatch(r"\d+\.\d+\.\d+", value):
        raise ValueError("`latest` or an exact version such as 2.336.0")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute() or value == Path("/"):
        raise ValueError("an absolute path, other than /")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s@]+(/[^\s]*)?", value):
        raise ValueError("a URL that starts with https:// (or http://)")
    return value.rstrip("/")


def _boolean(value: object) -> object:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _use(value: object) -> object:
    """Whoever takes it for a switch may write it like one."""
    known = _boolean(value)
    return str(known).lower() if isinstance(known, bool) else known


Version = Annotated[str, AfterValidator(_version)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Url = Annotated[str, AfterValidator(_url)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Positive = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
MayUse = Annotated[Literal["false", "true", "never"], BeforeValidator(_use)]
