"""Says when files of some directories appear or grow (inotify), so that nobody has to look again and again."""

import errno
import logging
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from inotify_simple import INotify, flags

from agent.events import event

log = logging.getLogger(__name__)

REST_SECONDS = 0.05
"""Between two words about growth: a job may write a hundred thousand times a second, and the kernel counts that as one."""
_WHERE = flags.ONLYDIR | flags.DONT_FOLLOW
_APPEARS = flags.CREATE | flags.MOVED_TO | _WHERE
_GROWS = flags.MODIFY | _WHERE


class FileNotices:
    """One thread, which calls back. A directory need not be there yet."""

    def __init__(self, on_appeared: Callable[[], None], on_grown: Callable[[], None]) -> None:
        """Starts nothing yet.

        Args:
            on_appeared: called at once when a file may have appeared.
            on_grown: called when a file has grown, at most every `REST_SECONDS`.
        """
        self._on_appeared = on_appeared
        self._on_grown = on_grown
        self._lock = threading.Lock()
        self._missing: set[Path] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to call back.

        Raises:
            OSError: the kernel gives no inotify, for example because its limit of instances is reached.
        """
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._appears = INotify(nonblocking=True)
        except OSError:
            os.close(self._wake)
            raise
        try:
            self._grows = INotify(nonblocking=True)
        except OSError:
            self._appears.close()
            os.close(self._wake)
            raise
        with self._lock:
            self._thread = threading.Thread(target=self._run, name="log notices", daemon=True)
            self._arm()
            self._thread.start()

    def watch(self, directory: Path) -> None:
        """From now on, or from the moment in which it appears; symlinks are not followed."""
        with self._lock:
            self._missing.add(directory)
            if self._thread is not None:
                self._arm()

    def close(self) -> None:
        """Ends the thread and waits a moment for it."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            os.eventfd_write(self._wake, 1)
        thread.join(2)

    def _arm(self) -> None:
        """Watches what has appeared of what was missing; of the rest, the nearest folder that is there."""
        for directory in list(self._missing):
            try:
                self._approach(directory)
            except OSError as exc:
                event(log, "logs.not_watched", path=directory, error=exc)

    def _approach(self, directory: Path) -> None:
        nearest: Path | None = None
        while True:
            for folder in (directory, *directory.parents):
                try:
                    self._appears.add_watch(folder, _APPEARS)
                    break
                except OSError as exc:
                    if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                        raise
            if folder == directory:
                self._grows.add_watch(directory, _GROWS)
                self._missing.discard(directory)
                return
            if folder == nearest:
                return
            # What appeared before this watch was there has told nobody: look once more.
            nearest = folder

    def _run(self) -> None:
        poller, resting = select.poll(), False
        poller.register(self._wake, select.POLLIN)
        poller.register(self._appears.fileno(), select.POLLIN)
        poller.register(self._grows.fileno(), select.POLLIN)
        try:
            while True:
                ready = {
                    number for number, _ in poller.poll(REST_SECONDS * 1000 if resting else None)
                }
                if self._wake in ready:
                    return
                if self._appears.fileno() in ready:
                    self._appears.read(timeout=0)
                    with self._lock:
                        if self._thread is not None:
                            self._arm()
                    self._on_appeared()
                if resting:
                    poller.register(self._grows.fileno(), select.POLLIN)
                elif self._grows.fileno() in ready:
                    self._grows.read(timeout=0)
                    self._on_grown()
                    poller.unregister(self._grows.fileno())
                resting = not resting and self._grows.fileno() in ready
        finally:
            self._appears.close()
            self._grows.close()
            os.close(self._wake)
