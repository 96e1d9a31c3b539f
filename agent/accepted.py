"""What a setting may look like: the types of the settings' fields."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _version(value: str) -> str:
    if value != "latest" and not re.fullmatch(r"\d+\.\d+\.\d+", value):
        raise ValueError("`latest` or an exact version such as 2.336.0, without a `v`")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute() or value == Path("/"):
        raise ValueError("an absolute path, other than /")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s@]+(/[^\s]*)?", value):
        raise ValueError(
            "a URL that starts with https:// (or http://), without a user's name in it"
        )
    return value.rstrip("/")


def _boolean(value: object) -> object:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _use(value: object) -> object:
    """Whoever takes it for a switch may write it like one."""
    known = _boolean(value)
    return str(known).lower() if isinstance(known, bool) else known


def matching(pattern: str, accepted: str) -> AfterValidator:
    """Takes what matches the pattern; says in words what that is, as a pattern is no help to anybody."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(accepted)
        return value

    return AfterValidator(check)


InstanceId = Annotated[
    str, matching(r"i-[0-9a-f]{8,17}", "an instance id such as i-0123456789abcdef0")
]
Region = Annotated[str, matching(r"[a-z]{2,}(-[a-z]+)+-\d+", "a region such as eu-central-1")]
ParameterPath = Annotated[
    str,
    matching(
        r"(/[A-Za-z0-9_.-]+)+",
        "a path such as /runs-fleet/runners, of letters, digits and `_.-`, without a final slash",
    ),
]
Bucket = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "a bucket's name without s3://: 3 to 63 lower-case letters, digits, dots and hyphens",
    ),
]
LogGroup = Annotated[
    str,
    matching(r"[A-Za-z0-9_/.#-]{0,512}", "at most 512 letters, digits and `_/.#-`, or nothing"),
]
Namespace = Annotated[
    str,
    matching(r"([A-Za-z0-9.\-_/#]{1,255})?", "at most 255 letters, digits and `.-_/#`, or nothing"),
]
Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits")]
UserName = Annotated[
    str,
    matching(
        r"[a-z_][a-z0-9_-]{0,31}",
        "a user's name: at most 32 lower-case letters, digits, `_` and `-`",
    ),
]
Version = Annotated[str, AfterValidator(_version)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Url = Annotated[str, AfterValidator(_url)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Positive = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
MayUse = Annotated[Literal["false", "true", "never"], BeforeValidator(_use)]
