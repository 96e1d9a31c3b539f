"""What the listener and its wrappers print, and what `_diag` holds, as events. Never raises, whatever the line.

Every pattern is anchored at both ends: a job's name is chosen by whoever writes the workflow, and it is printed.
The texts are those of runner 2.336; older spellings that are still seen are accepted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.outcome import JobResult
from agent.runner.refusal import configure_failure

__all__ = ["Said", "configure_failure", "parse_diag", "parse_output"]

LONGEST_LINE = 20_000
"""Characters; no line that means anything is longer."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The service answered; it is printed before there is a session, so it is no sign of readiness."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version that really runs, after a self-update too."""

    version: str


@dataclass(frozen=True, slots=True)
class Listening:
    """Ready for a job."""

    at: str
    """As printed: `2026-11-23 07:42:18Z`."""


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job was taken."""

    name: str


@dataclass(frozen=True, slots=True)
class JobFinished:
    """A job is over, as the terminal says it; advisory."""

    name: str
    result: JobResult


@dataclass(frozen=True, slots=True)
class Restarting:
    """`run.sh` starts the listener again; it does so without limit."""


@dataclass(frozen=True, slots=True)
class ListenerExited:
    """The helper's line about the listener's exit status; 3 stands for 3 and 4, the codes of an update."""

    code: int


@dataclass(frozen=True, slots=True)
class SessionConflict:
    """Another session for this runner exists; `final` when the listener gave up on it."""

    final: bool


@dataclass(frozen=True, slots=True)
class Deprecated:
    """GitHub gives this version no jobs."""

    text: str


@dataclass(frozen=True, slots=True)
class ConnectError:
    """The service does not answer; the listener goes on trying."""

    text: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class RegistrationDeleted:
    """GitHub no longer knows this runner."""

    text: str


@dataclass(frozen=True, slots=True)
class TerminalError:
    """An error after which the listener ends or is started again."""

    text: str


@dataclass(frozen=True, slots=True)
class Updating:
    """The runner updates itself."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The listener deleted one of its registration files: an ephemeral runner's job is over."""

    file: str


@dataclass(frozen=True, slots=True)
class Exiting:
    """The listener took SIGINT and winds up."""


@dataclass(frozen=True, slots=True)
class WrapperExiting:
    """`run.sh` is about to end; with trap mode the listener may still speak after it."""


@dataclass(frozen=True, slots=True)
class JobReceived:
    """`_diag`: the listener took a job and hands it to a worker."""

    job: str
    """The GUID by which `_diag` knows it."""


@dataclass(frozen=True, slots=True)
class JobFinishedDiag:
    """`_diag`: a job is over."""

    job: str
    result: JobResult


@dataclass(frozen=True, slots=True)
class WorkerFinished:
    """`_diag`: the worker ended, with 100 + result when it did so in order."""

    job: str
    code: int


Said = (
    Connected | Version | Listening | JobStarted | JobFinished | Restarting | ListenerExited
    | SessionConflict | Deprecated | ConnectError | Reconnected | RegistrationDeleted | TerminalError
    | Updating | Removed | Exiting | WrapperExiting | JobReceived | JobFinishedDiag | WorkerFinished
)  # fmt: skip

_RESULTS = {
    "Succeeded": JobResult.SUCCEEDED,
    "SucceededWithIssues": JobResult.SUCCEEDED,
    "Failed": JobResult.FAILED,
    "Canceled": JobResult.CANCELLED,
    "Skipped": JobResult.SKIPPED,
    "Abandoned": JobResult.ABANDONED,
}

_Rules = tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Said]], ...]


def _rule(pattern: str, make: Callable[[re.Match[str]], Said]) -> _Rules:
    return ((re.compile(pattern, re.ASCII), make),)


_AT = r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
_JOB = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_DISPATCHER = rf"\[{_AT} INFO JobDispatcher\] "
_ENDED = "Runner listener exit "
# The tick is one character, whatever the locale made of it.
_OUTPUT: _Rules = (
    *_rule(r". Connected to GitHub", lambda _: Connected()),
    *_rule(r"Current runner version: '([^']*)'", lambda m: Version(m[1])),
    *_rule(rf"{_AT}: Listening for Jobs", lambda m: Listening(m[1])),
    *_rule(rf"{_AT}: Running job: (.*)", lambda m: JobStarted(m[2])),
    *_rule(rf"{_AT}: Job (.*) completed with result: ({'|'.join(_RESULTS)})", lambda m: JobFinished(m[2], _RESULTS[m[3]])),
    *_rule(r". Removed (\.[a-z_]+)", lambda m: Removed(m[1])),
    *_rule(rf"{_ENDED}with 0 return code, .*", lambda _: ListenerExited(0)),
    *_rule(rf"{_ENDED}with terminated error, .*", lambda _: ListenerExited(1)),
    *_rule(rf"{_ENDED}with retryable error, .*", lambda _: ListenerExited(2)),
    *_rule(rf"{_ENDED}because of updating, .*", lambda _: ListenerExited(3)),
    *_rule(rf"{_ENDED}with Session Conflict error, .*", lambda _: ListenerExited(5)),
    *_rule(rf"{_ENDED}with deprecated version exit code: 7\.?", lambda _: ListenerExited(7)),
    *_rule(r"Exiting with unknown error code: ([0-9]{1,9})", lambda m: ListenerExited(int(m[1]))),
    *_rule(r"Restarting runner\.\.\.", lambda _: Restarting()),
    *_rule(r"Exiting\.\.\.", lambda _: Exiting()),
    *_rule(r"Exiting runner\.\.\.", lambda _: WrapperExiting()),
    *_rule(r"A session for this runner already exists\.", lambda _: SessionConflict(final=False)),
    *_rule(r"Stop retry on SessionConflictException after retried for .*", lambda _: SessionConflict(final=True)),
    *_rule(rf"(?:{_AT}: )?Runner connect error: (.*?)(?: Retrying until reconnected\.)?", lambda m: ConnectError(m[2])),
    *_rule(rf"{_AT}: Runner reconnected\.", lambda _: Reconnected()),
    *_rule(r"((?:Failed to create a session\. )?The runner registration has been deleted from the server.*)", lambda m: RegistrationDeleted(m[1])),
    *_rule(r"(The runner no longer exists on the server\..*)", lambda m: RegistrationDeleted(m[1])),
    *_rule(r"An error occurr?ed: (Runner version .* is deprecated and cannot receive messages\..*)", lambda m: Deprecated(m[1])),
    *_rule(r"An error occurr?ed: (.*)", lambda m: TerminalError(m[1])),
    *_rule(r"(Failed to create session\..*|Fail to create and validate runner's work directory .*|Must not run interactively with sudo)", lambda m: TerminalError(m[1])),
    *_rule(r"Runner update in progress, do not shutdown runner\.|Runner will exit shortly for update.*", lambda _: Updating()),
)  # fmt: skip
_DIAG: _Rules = (
    *_rule(rf"{_DISPATCHER}Job request [0-9]+ for plan \S+ job {_JOB} received\.", lambda m: JobReceived(m[2])),
    *_rule(rf"{_DISPATCHER}finish job request for job {_JOB} with result: (\w+)", lambda m: JobFinishedDiag(m[2], _RESULTS.get(m[3], JobResult.UNKNOWN))),
    *_rule(rf"{_DISPATCHER}Worker finished for job {_JOB}\. Code: ([0-9]{{1,9}})", lambda m: WorkerFinished(m[2], int(m[3]))),
)  # fmt: skip


def parse_output(line: str) -> Said | None:
    """What one line of `run.sh`'s stdout or stderr says; None for a line without a meaning of its own."""
    return _parse(line, _OUTPUT)


def parse_diag(line: str) -> Said | None:
    """What one line of `_diag/Runner_*.log` says; None for most."""
    return _parse(line, _DIAG)


def _parse(line: str, rules: _Rules) -> Said | None:
    line = line.rstrip("\r\n")
    if len(line) > LONGEST_LINE:
        return None
    for pattern, make in rules:
        if match := pattern.fullmatch(line):
            return make(match)
    return None
