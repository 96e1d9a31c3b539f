"""Stops a job that runs longer than it may."""

from agent.clock import Clock
from agent.outcome import Reason
from agent.stop import StopRequest


class RuntimeWatcher:
    """A verdict once the maximum is over, counted from the moment it was made."""

    def __init__(self, clock: Clock, max_minutes: float, *, already_seconds: float = 0.0) -> None:
        """Starts counting; `already_seconds` is what a runner that is picked up again has behind it."""
        self._clock = clock
        self._max_minutes = max_minutes
        self._at = clock.monotonic() + max_minutes * 60 - already_seconds

    def check(self) -> StopRequest | None:
        """A request when the time is over."""
        if self._clock.monotonic() < self._at:
            return None
        detail = f"the runner ran longer than {self._max_minutes:g} minutes (RUNS_FLEET_MAX_RUNTIME_MINUTES)"
        return StopRequest(Reason.MAX_RUNTIME, detail)
