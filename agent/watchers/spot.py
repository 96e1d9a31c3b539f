"""Stops the job when EC2 announces that it takes the spot instance back."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.clock import Clock, rfc3339
from agent.events import warning
from agent.outcome import Reason
from agent.stop import StopRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpotNotice:
    """What IMDS says under `spot/instance-action`; usually two minutes ahead."""

    action: str
    """`terminate`, `stop` or `hibernate`."""
    at: datetime
    """When, aware."""


def _no_advice() -> datetime | None:
    return None


class SpotWatcher:
    """A verdict at the first notice; a rebalance recommendation is reported once, and acted on only where that is asked for."""

    def __init__(
        self,
        probe: Callable[[], SpotNotice | None],
        *,
        clock: Clock,
        rebalance: Callable[[], datetime | None] = _no_advice,
        stop_on_rebalance: bool = False,
    ) -> None:
        """Takes both probes; each must bound its own time, and may raise: then the next check asks again."""
        self._probe = probe
        self._clock = clock
        self._rebalance = rebalance
        self._stop_on_rebalance = stop_on_rebalance
        self.rebalance_seen = False

    def check(self) -> StopRequest | None:
        """Asks for a notice, and without one for a recommendation."""
        notice = self._probe()
        if notice is not None:
            return self._request(notice)
        if not self.rebalance_seen and (at := self._rebalance()) is not None:
            self.rebalance_seen = True
            warning(log, "spot.rebalance_recommended", at=rfc3339(at))
            if self._stop_on_rebalance:
                detail = "EC2 recommends to leave this spot instance"
                return StopRequest(Reason.REBALANCE, detail)
        return None

    def _request(self, notice: SpotNotice) -> StopRequest:
        left = max(0.0, (notice.at - self._clock.utc()).total_seconds())
        detail = f"EC2 will {notice.action} this spot instance at {rfc3339(notice.at)}"
        return StopRequest(Reason.SPOT_NOTICE, detail, taken_at=self._clock.monotonic() + left)
