"""The agent's own log lines, read back."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.report.plain import is_moment

_LINE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+) [\w.]+ (?P<text>.*)", re.DOTALL
)  # fmt: skip
_NAME = re.compile(r"([a-z_]+\.[A-Za-z_]+)(?: |$)")
_FIELD = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")
_METRICS = '{"_aws":'


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the agent's."""

    at: str
    level: str
    text: str
    """Without time, level and logger."""
    name: str = ""
    """Of an event such as `runner.started`; empty for any other line."""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """What it says that something took; None where it does not say."""
        text = self.fields.get("seconds", "")
        return float(text) if _SECONDS.fullmatch(text) else None

    @property
    def is_warning(self) -> bool:
        return self.level in ("WARNING", "ERROR", "CRITICAL")


def parse(text: str) -> Line | None:
    """The line; None for what is none of the agent's."""
    found = _LINE.fullmatch(text.rstrip("\r\n"))
    if found is None or not is_moment(found["at"]):
        return None
    said = found["text"]
    name = _NAME.match(said)
    if name is None:
        return Line(found["at"], found["level"], said)
    fields = {key: _value(value) for key, value in _FIELD.findall(said[name.end(1) :])}
    return Line(found["at"], found["level"], said, name[1], fields)


def parsed(texts: Iterable[str]) -> Iterator[Line]:
    return (line for text in texts if (line := parse(text)) is not None)


def metrics(texts: Iterable[str]) -> Mapping[str, float]:
    """The numbers of the embedded-metric line, by name; empty where there is none."""
    for text in texts:
        if not text.startswith(_METRICS):
            continue
        try:
            return {k: float(v) for k, v in json.loads(text).items() if isinstance(v, int | float)}
        except (ValueError, AttributeError, RecursionError):
            continue
    return {}


def _value(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text
