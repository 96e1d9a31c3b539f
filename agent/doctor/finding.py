"""What one check found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check came out; only `failed` makes the exit status 1."""

    OK = "ok"
    WARNING = "warning"
    """`run` would work, but not as well as it should, or it could not be told for sure."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not looked at; `seen` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        name: of what was checked; an AWS permission by IAM's own name for it.
        verdict: how it came out.
        seen: what was seen, one line.
        mend: what to do about it; empty where there is nothing to do.
    """

    name: str
    verdict: Verdict
    seen: str
    mend: str = ""


def ok(name: str, seen: str) -> Finding:
    return Finding(name, Verdict.OK, seen)


def warning(name: str, seen: str, *, mend: str) -> Finding:
    return Finding(name, Verdict.WARNING, seen, mend)


def failed(name: str, seen: str, *, mend: str) -> Finding:
    return Finding(name, Verdict.FAILED, seen, mend)


def skipped(name: str, why: str) -> Finding:
    return Finding(name, Verdict.SKIPPED, why)
