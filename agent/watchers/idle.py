"""Ends the wait for a job that never comes: known faults of GitHub leave a runner listening for ever."""

from agent.clock import Clock
from agent.outcome import Reason
from agent.stop import StopRequest


class IdleWatcher:
    """A verdict when no job came within the wait; it is told what happens, from any thread."""

    def __init__(self, clock: Clock, wait_minutes: float, *, already_seconds: float = 0.0) -> None:
        """Starts counting: the runner has as long to begin to listen as then to get a job.

        A runner that is picked up again has `already_seconds` of it behind it.
        """
        self._clock = clock
        self._minutes = wait_minutes
        self._since = clock.monotonic() - already_seconds
        self._taken_over = already_seconds > 0
        self._listening = False
        self._has_job = False

    def listening(self) -> None:
        """The runner is ready. Only the first time counts: a restarted listener gets no new wait."""
        if not self._listening and not self._taken_over:
            self._since = self._clock.monotonic()
        self._listening = True

    def job_started(self) -> None:
        """A job was taken; from now on there is no verdict."""
        self._has_job = True

    def check(self) -> StopRequest | None:
        """A request when the wait is over."""
        if self._has_job or self._clock.monotonic() - self._since < self._minutes * 60:
            return None
        within = f"within {self._minutes:g} minutes (RUNS_FLEET_JOB_WAIT_MINUTES)"
        if self._listening:
            return StopRequest(Reason.NO_JOB, f"the runner listened, but got no job {within}")
        return StopRequest(
            Reason.RUNNER_NEVER_LISTENED, f"the runner never began to listen {within}"
        )
