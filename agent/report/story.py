"""The story of a run as one immutable value. All text in it is plain: one line, nothing invisible."""

from dataclasses import dataclass
from datetime import datetime

from agent.outcome import Reason


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened."""

    at: datetime
    what: str
    """One of few: no word in it comes from outside."""
    detail: str = ""
    seconds: float | None = None
    """How long it took, where that is known."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the run ended."""

    reason: str
    """One of the outcome classes, or what a newer agent calls its own."""
    status: str
    """How the runner fared; empty for a reason that is not known here."""
    meaning: str
    what_to_do: str
    """Of every run of this reason."""
    detail: str
    mend: str
    """Of this run; empty where there is no more to say than of every other."""
    exit_code: int
    """Of `run.sh`; -1 when it never ran or was killed."""

    @property
    def served(self) -> bool:
        return self.reason == Reason.JOB_SERVED


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time, in a lane of its own or after another in the same lane."""

    lane: str
    what: str
    began: datetime
    ended: datetime
    kind: str
    """`boot`, `stage`, `beside`, `wait`, `job`, `stop` or `end`."""

    @property
    def seconds(self) -> float:
        return max(0.0, (self.ended - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the boot."""

    what: str
    seconds: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A size or a peak."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream, and where the console shows it."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Story:
    """What happened in one run, in order, why it ended and what to do. Where something is not known it is empty, None or absent."""

    source: str
    """Where this comes from."""
    instance_id: str
    run_id: str
    job_id: str
    repo: str
    runner_name: str
    region: str
    zone: str
    account_id: str
    instance_type: str
    agent_version: str
    runner_version: str
    log_group: str
    began: datetime
    over: datetime | None
    """When the instance was being ended; None while it is not, or where nobody could write that down."""
    ending: Ending | None
    """None while the run goes on, or where nobody could say how it ended."""
    job_name: str
    job_result: str
    last_seen: datetime
    moments: tuple[Moment, ...]
    spans: tuple[Span, ...]
    run_sh_at: datetime | None
    """When `run.sh` was told to run."""
    ended_at: datetime | None
    """When the outcome was known."""
    phases: tuple[Phase, ...]
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]
    warnings_left_out: int
    owed: tuple[str, ...]
    """What the end still needs, as far as it is known."""
    runner_said: tuple[str, ...]
    """Its last lines, of `config.sh` and `run.sh`."""
    streams: tuple[Stream, ...]
