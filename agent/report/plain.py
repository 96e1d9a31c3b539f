"""How values are written for people, and what becomes of text that a job may have chosen."""

from datetime import UTC, datetime

LIMIT = 300
"""Characters of a foreign text; a job's name is no place for a novel."""
_MINUTE, _HOUR = 60, 3600
_THOUSAND = 1000


def plain(text: str, limit: int = LIMIT) -> str:
    """The text on one line with every invisible character spelled out, so that nothing in it can turn, hide or break the rest."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def duration(seconds: float) -> str:
    """As a person says it: `0.21 s`, `12.3 s`, `3 min 5 s`, `6 h 2 min`."""
    tenths = round(seconds, 1)
    if seconds < 1:
        return f"{seconds:.2f} s"
    if tenths < _MINUTE:
        return f"{tenths:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Bytes, decimal: `0 bytes`, `4.2 kB`, `123.4 MB`."""
    if count < _THOUSAND:
        return f"{count} bytes"
    value, unit = count / _THOUSAND, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < _THOUSAND:
            break
        value, unit = value / _THOUSAND, larger
    return f"{value:.1f} {unit}"


def number(count: int) -> str:
    return f"{count:,}"


def moment(text: str) -> datetime:
    """A fact's `at`.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def is_moment(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True


def clock_time(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
