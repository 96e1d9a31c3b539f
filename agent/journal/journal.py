"""The journal file: append-only JSON lines, each written whole and synced."""

import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from agent.events import warning
from agent.journal.facts import Fact, from_line, to_line
from agent.journal.progress import Progress

log = logging.getLogger(__name__)


class Journal:
    """Facts of this run, in memory and, as far as the disk allows, in a file.

    A disk that cannot take a line does not stop the run: the journal goes on in memory and says so once; as soon as the disk takes
    lines again, it gets those that it missed.
    """

    def __init__(self, path: Path, *, now: Callable[[], str], fresh: bool = False) -> None:
        """Reads what is there already.

        Args:
            path: the file; its folder is made when it is missing.
            now: the present moment, RFC 3339, for facts made through `Journal.now`.
            fresh: what is there is of an earlier life of the machine, and counts for nothing.
        """
        self.path = path
        self.now = now
        self._lock = threading.Lock()
        self._facts = [] if fresh else list(read(path))
        self._progress = Progress.of(self._facts)
        self._on_disk = True
        self._unwritten = b""

    def add(self, fact: Fact) -> None:
        """Appends the fact; it is on the disk when this returns, unless the disk would not take it."""
        with self._lock:
            self._facts.append(fact)
            self._progress = self._progress.then(fact)
            self._unwritten += to_line(fact)
            try:
                _append(self.path, self._unwritten)
            except OSError as exc:
                self._say_once(exc)
            else:
                self._unwritten = b""

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(self._facts)

    @property
    def progress(self) -> Progress:
        return self._progress

    def _say_once(self, exc: OSError) -> None:
        if self._on_disk:
            warning(log, "journal.in_memory_only", path=self.path, error=exc)
        self._on_disk = False


def read(path: Path) -> tuple[Fact, ...]:
    """All whole facts of the file in order; a torn or foreign line is left out, a missing file is empty."""
    try:
        data = path.read_bytes()
    except OSError:
        return ()
    return tuple(fact for line in data.split(b"\n") if (fact := from_line(line)) is not None)


def set_aside(path: Path) -> None:
    """Moves the journal, or the spool, of an earlier life of this machine out of the way; best effort."""
    previous = path.with_name(path.name + ".previous")
    try:
        if previous.is_dir():
            shutil.rmtree(previous, ignore_errors=True)
        path.replace(previous)
    except FileNotFoundError:
        return
    except OSError as exc:
        warning(log, "journal.not_set_aside", path=path, error=exc)


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        whole = b"\n" + line if torn else line
        if os.write(handle, whole) != len(whole):
            os.ftruncate(handle, size)
            raise OSError(errno.ENOSPC, "the line was only written in part")
        os.fsync(handle)
    finally:
        os.close(handle)
