"""The known ways in which a runner goes on for ever without doing anything: each has a limit and a name of its own.

They were all seen in public: https://github.com/actions/runner/issues/4668 (a job is acknowledged and never begun), 4598 and 3441
(the worker is gone), 4418 (the job is over and the worker never exits). A runner that never listens, or listens and gets no job,
is the idle watcher's; a loop of restarts shows in the runner's own words.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.clock import Clock
from agent.outcome import Reason
from agent.runner.result import Conversation


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    begin: float = 180.0
    """From the assignment of a job, in `_diag`, to its announcement."""
    worker: float = 120.0
    """Of a job without a worker."""
    exit: float = 60.0
    """From the end of the job to the end of the runner."""
    look: float = 15.0
    """Between two looks at the workers."""


@dataclass(frozen=True, slots=True)
class Hang:
    """A runner that will not go on by itself."""

    reason: Reason
    detail: str


class Hangs:
    """Watches one runner's conversation and its worker; asked again and again."""

    def __init__(self, clock: Clock, has_worker: Callable[[], bool], limits: Limits) -> None:
        """Starts with nothing seen.

        Args:
            clock: what time it is.
            has_worker: looks whether a worker of this runner is at work.
            limits: how long each may last.
        """
        self._clock = clock
        self._has_worker = has_worker
        self._limits = limits
        self._since: dict[Reason, float] = {}
        self._looked_at = clock.monotonic()
        self._worker_there = True

    def check(self, said: Conversation) -> Hang | None:
        """The hang that has lasted too long, where there is one."""
        limits = self._limits
        over = said.job_result is not None
        if self._lasts(Reason.RUNNER_HUNG, over, limits.exit):
            return Hang(
                Reason.RUNNER_HUNG,
                f"the job was over, but the runner did not exit within {limits.exit:g} s",
            )
        assigned = said.job_id is not None and said.job_name is None and not over
        if self._lasts(Reason.JOB_NEVER_STARTED, assigned, limits.begin):
            return Hang(
                Reason.JOB_NEVER_STARTED,
                f"GitHub assigned job {said.job_id}, but the listener did not begin it within {limits.begin:g} s",
            )
        orphaned = said.job_name is not None and not over and not self._worker_is_there()
        if self._lasts(Reason.RUNNER_LOST, orphaned, limits.worker):
            return Hang(
                Reason.RUNNER_LOST,
                f"the job had no worker for {limits.worker:g} s, and the listener did not say how it ended",
            )
        return None

    def _lasts(self, what: Reason, true_now: bool, seconds: float) -> bool:  # noqa: FBT001 - an observation
        if not true_now:
            self._since.pop(what, None)
            return False
        began = self._since.setdefault(what, self._clock.monotonic())
        return self._clock.monotonic() - began >= seconds

    def _worker_is_there(self) -> bool:
        """As it was at the last look: going through all processes has its price."""
        if self._clock.monotonic() - self._looked_at >= self._limits.look:
            self._looked_at = self._clock.monotonic()
            self._worker_there = self._has_worker()
        return self._worker_there
