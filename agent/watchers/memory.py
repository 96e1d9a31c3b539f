"""Warns when memory runs short, counts what the kernel's OOM killer did; never stops a job."""

import logging
from collections.abc import Callable
from pathlib import Path

from agent.events import warning

log = logging.getLogger(__name__)

MB = 1024 * 1024
REARMED_AT = 1.25
"""Times the threshold that must be available again before the next warning: readings around it are one shortage, not many."""
VMSTAT = Path("/proc/vmstat")


def available_bytes() -> int:
    """What can be had without swapping, page cache included (MemAvailable).

    Raises:
        OSError: /proc/meminfo cannot be read.
    """
    import psutil

    return int(psutil.virtual_memory().available)


def total_bytes() -> int:
    """The machine's memory.

    Raises:
        OSError: /proc/meminfo cannot be read.
    """
    import psutil

    return int(psutil.virtual_memory().total)


def read_oom_kills(path: Path = VMSTAT) -> int | None:
    """Processes that the OOM killer has killed since boot; None where the file does not tell.

    The line is `oom_kill N`, in /proc/vmstat as well as in a cgroup's memory.events.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.strip().isdecimal():
            return int(count)
    return None


class MemoryWatcher:
    """A warning each time that available memory falls below the threshold."""

    def __init__(
        self,
        probe: Callable[[], int],
        warn_mb: float,
        *,
        total: Callable[[], int] = total_bytes,
        oom_kills: Callable[[], int | None] = read_oom_kills,
    ) -> None:
        """Takes the probe (available bytes), the threshold in MB (of 1024 * 1024 bytes), the memory there is, and the counter of OOM kills, read here first."""
        self._probe = probe
        self._warn_mb = warn_mb
        self._total = total
        self._counter = oom_kills
        self._kills_before = oom_kills()
        self._short = False
        self.warnings = 0
        self.peak_memory_mb: int | None = None
        """The most that was in use at any reading; None before the first."""
        self.oom_kills: int | None = None if self._kills_before is None else 0
        """Since this watcher was made; None where the kernel does not tell."""

    def check(self) -> None:
        """One reading; its verdict is always to go on."""
        self._count_kills()
        available = self._probe()
        self.peak_memory_mb = max(self.peak_memory_mb or 0, (self._total() - available) // MB)
        available_mb = available / MB
        if not self._short and available_mb < self._warn_mb:
            self._short = True
            self.warnings += 1
            warning(
                log, "memory.low", available_mb=int(available_mb), under_mb=f"{self._warn_mb:g}"
            )
        elif self._short and available_mb >= self._warn_mb * REARMED_AT:
            self._short = False

    def _count_kills(self) -> None:
        now = self._counter()
        if now is None or self._kills_before is None:
            return
        kills = max(0, now - self._kills_before)
        if kills > (self.oom_kills or 0):
            warning(log, "memory.oom_kill", kills=kills)
        self.oom_kills = kills
