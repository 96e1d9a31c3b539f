"""Keeps the spool within a limit: past it, the oldest bytes are given back to the disk while their writers go on."""

import ctypes
import logging
import os
from contextlib import suppress
from pathlib import Path

from agent.clock import Clock
from agent.events import warning

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
KEPT_SHARE = 0.9
"""Of the limit, when something has to go: not to drop a little again and again."""
BLOCK_BYTES = 4096
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
"""linux/falloc.h: the file keeps its length and every byte its offset; what was there reads as NUL."""


class SpoolLimit:
    """One folder of files that others append to."""

    def __init__(self, directory: Path, max_bytes: int, *, clock: Clock) -> None:
        """Looks at nothing yet."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._clock = clock
        self._next = 0.0
        self._warned = False

    def enforce(self) -> int:
        """Drops what is over the limit, the oldest of the largest file first; returns how many bytes. Cheap to call often."""
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        self._next = now + LOOK_SECONDS
        try:
            return self._enforce()
        except OSError as exc:
            if not self._warned:
                warning(log, "spool.not_limited", path=self._directory, error=exc)
            self._warned = True
            return 0

    def _enforce(self) -> int:
        held = _on_disk(self._directory)
        over = sum(held.values()) - self._max_bytes
        if over <= 0:
            return 0
        too_much = over + int(self._max_bytes * (1 - KEPT_SHARE))
        largest = max(held, key=lambda path: held[path])
        dropped = _drop_oldest(largest, min(too_much, held[largest] - BLOCK_BYTES))
        if dropped and not self._warned:
            warning(log, "spool.over_its_limit", file=largest, dropped_bytes=dropped)
            self._warned = True
        return dropped


def hole_end(descriptor: int, at: int) -> int:
    """Where data begins again, at or behind an offset; the offset itself where the file system cannot tell."""
    with suppress(OSError):
        return os.lseek(descriptor, at, os.SEEK_DATA)
    return at


def _on_disk(directory: Path) -> dict[str, int]:
    """The bytes that each log takes; asked every second for hours, so by the cheapest calls."""
    with os.scandir(directory) as found:
        logs = [each for each in found if each.name.endswith(".log")]
    return {each.path: each.stat(follow_symlinks=False).st_blocks * 512 for each in logs}


def _drop_oldest(path: str, size: int) -> int:
    """Gives back about so many bytes from the first one on that is still there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        first = hole_end(descriptor, 0)
        end = (first + size) // BLOCK_BYTES * BLOCK_BYTES
        if end <= first:
            return 0
        _punch(descriptor, end)
        return end - first
    finally:
        os.close(descriptor)


def _punch(descriptor: int, end: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    wide = ctypes.c_int64
    if libc.fallocate64(descriptor, _KEEP_SIZE | _PUNCH_HOLE, wide(0), wide(end)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
