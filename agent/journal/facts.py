"""The facts, as frozen types and as one JSON line each. No fact ever holds a secret."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that has happened. `at` is RFC 3339 in UTC."""

    kind: ClassVar[str] = ""
    at: str


@dataclass(frozen=True, slots=True)
class RunBegan(Fact):
    kind: ClassVar[str] = "run_began"
    instance_id: str
    region: str
    boot_id: str
    agent_version: str
    boot_seconds: float
    """From the kernel's start to the agent's."""
    monotonic: float = 0.0
    """As in `RunnerStarted`."""
    log_group: str | None = None
    """Where its words go; empty where they go nowhere, None in journals that do not say."""


@dataclass(frozen=True, slots=True)
class InstanceKnown(Fact):
    """What EC2 says of the instance; empty where it does not."""

    kind: ClassVar[str] = "instance_known"
    account_id: str
    instance_type: str
    zone: str


@dataclass(frozen=True, slots=True)
class ConfigFetched(Fact):
    kind: ClassVar[str] = "config_fetched"
    run_id: str
    job_id: str
    repo: str
    runner_name: str
    queue_url: str
    """Empty when nobody is to be told."""
    seconds: float
    logs_bucket: str = ""
    """Where `_diag` goes; empty when nobody wants it."""
    logs_prefix: str = ""


@dataclass(frozen=True, slots=True)
class RunnerPlaced(Fact):
    kind: ClassVar[str] = "runner_placed"
    version: str
    sha256: str
    source: str
    """`disk`, `cache` or `github`."""
    seconds: float
    archive_bytes: int = 0
    """As it was transferred; 0 where nothing was."""


@dataclass(frozen=True, slots=True)
class Registered(Fact):
    kind: ClassVar[str] = "registered"
    how: str
    """`token`, `jit`, or `before`: an earlier life of the agent had done it, and died before it could say so."""
    seconds: float


@dataclass(frozen=True, slots=True)
class RunnerStarted(Fact):
    kind: ClassVar[str] = "runner_started"
    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat: with it a pid is never mistaken for a later process."""
    total_seconds: float
    """From the agent's start until `run.sh` was told to run."""
    monotonic: float = 0.0
    """The machine's monotonic clock, which a later life of the agent reads on."""


@dataclass(frozen=True, slots=True)
class ParametersDeleted(Fact):
    kind: ClassVar[str] = "parameters_deleted"


@dataclass(frozen=True, slots=True)
class StopAsked(Fact):
    """The runner was told to stop, or is about to be: never twice, a second signal would cut its clean-up short."""

    kind: ClassVar[str] = "stop_asked"
    reason: str
    detail: str
    monotonic: float
    """As in `RunnerStarted`."""
    grace_seconds: float
    taken_at: float | None = None
    """When the machine will be taken away, on the same clock; None when nobody takes it."""


@dataclass(frozen=True, slots=True)
class JobSeen(Fact):
    kind: ClassVar[str] = "job_seen"
    name: str


@dataclass(frozen=True, slots=True)
class LogShipped(Fact):
    kind: ClassVar[str] = "log_shipped"
    stream: str
    path: str
    offset: int


@dataclass(frozen=True, slots=True)
class Ended(Fact):
    """The outcome; the first one counts."""

    kind: ClassVar[str] = "ended"
    reason: str
    detail: str
    job_result: str
    job_name: str
    exit_code: int
    peak_memory_mb: int | None = None
    min_disk_free_mb: int | None = None
    oom_kills: int | None = None
    monotonic: float = 0.0
    """As in `RunnerStarted`: the finish timeout counts from here, whoever goes on with the end."""
    mend: str = ""
    """What the person on call does about it."""


@dataclass(frozen=True, slots=True)
class RunnerGone(Fact):
    """No process of the runner was left when this was written."""

    kind: ClassVar[str] = "runner_gone"


@dataclass(frozen=True, slots=True)
class LogsFlushed(Fact):
    kind: ClassVar[str] = "logs_flushed"
    complete: bool
    upload: str = "disabled"
    """What became of `_diag` in S3, as in the final message."""
    runner_lines: int | None = None
    """Of the runner stream, that CloudWatch took; None where a life of the agent that has ended sent some of them."""
    runner_bytes: int | None = None
    """As `runner_lines`, as they stood in the files; over all lives of the agent."""
    unsent_lines: int | None = None
    """Of all streams, that CloudWatch does not have."""
    dropped_bytes: int | None = None
    """That the spool's limit took before they were sent."""


@dataclass(frozen=True, slots=True)
class MessageSent(Fact):
    kind: ClassVar[str] = "message_sent"
    status: str
    message_id: str


@dataclass(frozen=True, slots=True)
class MessageGivenUp(Fact):
    """The final message's time limit was spent on it."""

    kind: ClassVar[str] = "message_given_up"
    error: str


@dataclass(frozen=True, slots=True)
class CleanedUp(Fact):
    kind: ClassVar[str] = "cleaned_up"
    left: int
    """Files that could not be removed."""


@dataclass(frozen=True, slots=True)
class TerminateCalled(Fact):
    kind: ClassVar[str] = "terminate_called"
    how: str
    """`terminate_instances`, `power_off` or `dry_run`."""


KINDS: dict[str, type[Fact]] = {
    kind.kind: kind
    for kind in (
        RunBegan,
        InstanceKnown,
        ConfigFetched,
        RunnerPlaced,
        Registered,
        RunnerStarted,
        ParametersDeleted,
        StopAsked,
        JobSeen,
        LogShipped,
        Ended,
        RunnerGone,
        LogsFlushed,
        MessageSent,
        MessageGivenUp,
        CleanedUp,
        TerminateCalled,
    )
}


def to_line(fact: Fact) -> bytes:
    """One JSON object and a newline."""
    text = json.dumps({"fact": fact.kind, **asdict(fact)}, ensure_ascii=True)
    return text.encode() + b"\n"


def from_line(line: bytes) -> Fact | None:
    """The fact of one line; None for a torn, foreign or unknown one."""
    try:
        entry = json.loads(line)
        kind = KINDS[entry.pop("fact")]
        return kind(**_checked(kind, entry))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _checked(kind: type[Fact], entry: dict[str, Any]) -> dict[str, Any]:
    """Keys of this fact only, each of the type it is declared with; a newer agent's extra keys are dropped."""
    known = {}
    for field in fields(kind):
        if field.name not in entry:
            continue
        value = entry[field.name]
        declared = _PLAIN[str(field.type)]
        if isinstance(value, bool) is not (declared == (bool,)) or not isinstance(value, declared):
            raise TypeError(field.name)
        known[field.name] = value
    return known


_PLAIN: dict[str, tuple[type, ...]] = {
    str(str): (str,),
    str(int): (int,),
    str(float): (int, float),
    str(bool): (bool,),
    str(int | None): (int, type(None)),
    str(float | None): (int, float, type(None)),
    str(str | None): (str, type(None)),
}
