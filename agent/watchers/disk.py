"""Stops the job before the disk is full: a worker that cannot write its log dies without a word."""

import logging
from collections.abc import Callable
from pathlib import Path

from agent.events import warning
from agent.outcome import Reason
from agent.stop import StopRequest

log = logging.getLogger(__name__)

MB = 1024 * 1024


def free_bytes(path: Path) -> int:
    """What a process without privileges may still write on the path's file system.

    Raises:
        OSError: there is no such path.
    """
    import psutil

    return int(psutil.disk_usage(str(path)).free)


class DiskWatcher:
    """A verdict when less than the minimum is free."""

    def __init__(self, probe: Callable[[], int], min_free_mb: float, *, where: Path) -> None:
        """Takes the probe (free bytes), the minimum in MB (of 1024 * 1024 bytes) and the path that the detail names."""
        self._probe = probe
        self._min_free_mb = min_free_mb
        self._where = where
        self._complained = False
        self.min_free_mb_seen: int | None = None
        """The least that was ever seen; None before the first reading."""

    def check(self) -> StopRequest | None:
        """One reading. A probe that fails is a warning once, and no reason to stop a job."""
        try:
            free_mb = self._probe() / MB
        except OSError as exc:
            if not self._complained:
                warning(log, "disk.unreadable", path=self._where, error=exc)
            self._complained = True
            return None
        seen = self.min_free_mb_seen
        self.min_free_mb_seen = int(free_mb) if seen is None else min(seen, int(free_mb))
        if free_mb >= self._min_free_mb:
            return None
        detail = f"{int(free_mb)} MB free on {self._where}, fewer than {self._min_free_mb:g} (RUNS_FLEET_DISK_MIN_FREE_MB)"
        return StopRequest(Reason.DISK_FULL, detail)
