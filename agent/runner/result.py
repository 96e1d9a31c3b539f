"""What became of the job and of the runner, from what was said; the exit status alone says next to nothing."""

from dataclasses import dataclass, replace

from agent.errors import one_line
from agent.outcome import JobResult, Outcome, Reason
from agent.runner import says

RESTART_LIMIT = 5
"""Restarts of the listener without a job after which it is a loop: `run.sh` itself has no limit."""
_DEPRECATED_CODE = 7
_CONFLICT_CODE = 5
_STOPPED = (129, 130, 143, -1, -2, -15)
"""Exit codes of somebody's SIGHUP, SIGINT and SIGTERM: an end, but no crash."""
_NOT_EXECUTED = 126
"""And above: 127 not found, 128 + signal."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All that was said so far; `then` gives the next one."""

    version: str = ""
    listening_at: str = ""
    """As printed; empty until it first listened."""
    job_name: str | None = None
    """As announced; None until a job was."""
    job_id: str | None = None
    """The GUID of the job that `_diag` saw first: an ephemeral runner gets one."""
    terminal_result: JobResult | None = None
    """From stdout, of the announced job only."""
    diag_result: JobResult | None = None
    """From `_diag`, of `job_id` only."""
    restarts: int = 0
    listener_code: int | None = None
    """The listener's last exit code, as the helper told it."""
    deprecated: str = ""
    conflicts: int = 0
    conflict_final: bool = False
    registration_deleted: str = ""
    error: str = ""
    """The last error of the listener's."""
    exiting: bool = False
    """The listener has taken a signal."""

    @property
    def job_seen(self) -> bool:
        return self.job_name is not None or self.job_id is not None

    @property
    def job_result(self) -> JobResult | None:
        """None until the job's end was told. What is not a success wins.

        A job may write into `_diag`, and its author chooses the name that the terminal shows; neither can take back the
        listener's own words.
        """
        return _worse(self.diag_result, self.terminal_result)

    @property
    def restart_loop(self) -> bool:
        return not self.job_seen and self.restarts >= RESTART_LIMIT

    def then(self, said: says.Said | None) -> "Conversation":
        """The conversation with one more thing said; None and what changes nothing give the same one."""
        return self._job(said) if isinstance(said, _OF_THE_JOB) else self._runner(said)

    def _job(self, said: says.Said) -> "Conversation":
        match said:
            case says.JobStarted(name) if self.job_name is None:
                return replace(self, job_name=name)
            case says.JobFinished(name, result) if self._is_announced(name):
                return replace(self, terminal_result=_worse(self.terminal_result, result))
            case says.JobReceived(job) if self.job_id is None:
                return replace(self, job_id=job)
            case says.JobFinishedDiag(job, result) if job == self.job_id:
                return replace(self, diag_result=_worse(self.diag_result, result))
            case _:
                return self

    def _is_announced(self, name: str) -> bool:
        """A name with a line break in it may hold a finish line of its own; the true one then looks like the second of these."""
        return self.job_name is not None and (
            name == self.job_name or name.startswith(f"{self.job_name} completed with result: ")
        )

    def _runner(self, said: says.Said | None) -> "Conversation":
        match said:
            case says.Version(version):
                return replace(self, version=version)
            case says.Listening(at):
                return replace(self, listening_at=self.listening_at or at)
            case says.Restarting():
                return replace(self, restarts=self.restarts + 1)
            case says.ListenerExited(code):
                return replace(self, listener_code=code)
            case says.Exiting():
                return replace(self, exiting=True)
            case _:
                return self._trouble(said)

    def _trouble(self, said: says.Said | None) -> "Conversation":
        match said:
            case says.SessionConflict(final):
                return replace(self, conflicts=self.conflicts + 1, conflict_final=final)
            case says.Deprecated(text):
                return replace(self, deprecated=text)
            case says.RegistrationDeleted(text):
                return replace(self, registration_deleted=text)
            case says.ConnectError(text) | says.TerminalError(text):
                return replace(self, error=text)
            case _:
                return self


def _worse(one: JobResult | None, other: JobResult | None) -> JobResult | None:
    return other or one if one in (None, JobResult.SUCCEEDED) else one


_OF_THE_JOB = (says.JobStarted, says.JobFinished, says.JobReceived, says.JobFinishedDiag)


def outcome(conversation: Conversation, exit_code: int | None, *, files_left: bool) -> Outcome:
    """How the run ended, as far as the runner's own words tell; whoever stopped it knows a better reason.

    Args:
        conversation: everything that was said, `_diag` included.
        exit_code: of `run.sh`, negative for a signal; None when it never ended by itself.
        files_left: the registration files are still there: an ephemeral listener removes them after its job.
    """
    reason, detail = _why(conversation, exit_code, files_left=files_left)
    untold = JobResult.UNKNOWN if conversation.job_seen else JobResult.NONE
    return Outcome(
        reason=reason,
        detail=one_line(detail),
        job_result=conversation.job_result or untold,
        job_name=one_line(conversation.job_name or "", 300),
        exit_code=-1 if exit_code is None or exit_code < 0 else exit_code,
    )


def _why(said: Conversation, exit_code: int | None, *, files_left: bool) -> tuple[Reason, str]:
    codes = (said.listener_code, exit_code)
    if said.job_seen:
        lost = Reason.RUNNER_LOST, _lost(said, exit_code, files_left=files_left)
        return (Reason.JOB_SERVED, "") if said.job_result else lost
    if said.deprecated or _DEPRECATED_CODE in codes:
        return (
            Reason.RUNNER_DEPRECATED,
            said.deprecated or f"GitHub gives no jobs to runner {said.version} any more",
        )
    if said.conflict_final or _CONFLICT_CODE in codes:
        return (
            Reason.SESSION_CONFLICT,
            f"GitHub says that another session for this runner exists ({said.conflicts} tries)",
        )
    if said.restart_loop:
        return (
            Reason.RUNNER_RESTART_LOOP,
            f"run.sh started the listener again {said.restarts} times, and it took no job; its last error: {said.error or 'none told'}",
        )
    if crash := next((code for code in codes if _is_crash(code)), None):
        return Reason.RUNNER_CRASHED, f"the listener ended with {_code(crash)}"
    return Reason.RUNNER_TERMINATED, _terminated(said, exit_code, files_left=files_left)


def _lost(said: Conversation, exit_code: int | None, *, files_left: bool) -> str:
    crash = next((code for code in (said.listener_code, exit_code) if _is_crash(code)), None)
    ended = f"; the listener ended with {_code(crash)}" if crash else ""
    files = "" if files_left else "; the listener removed its registration, so it gave the job up"
    return f"the runner did not say how job {one_line(said.job_name or said.job_id or '', 300)!r} ended{ended}{files}"


def _terminated(said: Conversation, exit_code: int | None, *, files_left: bool) -> str:
    if said.registration_deleted or said.error:
        return said.registration_deleted or said.error
    heard = "listened, but" if said.listening_at else "never listened and"
    files = "" if files_left else "; the listener removed its registration"
    return f"run.sh ended with {_code(exit_code)}; the runner {heard} announced no job{files}"


def _is_crash(code: int | None) -> bool:
    return code is not None and code not in _STOPPED and (code >= _NOT_EXECUTED or code < 0)


def _code(code: int | None) -> str:
    names = {
        -9: "SIGKILL",
        137: "SIGKILL, out of memory?",
        134: "SIGABRT, missing libraries?",
        139: "SIGSEGV",
        127: "not found",
    }
    if code is None:
        return "no status"
    return f"status {code} ({names[code]})" if code in names else f"status {code}"
