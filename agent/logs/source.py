"""Where lines come from: one file, or every file of a directory that fits a pattern."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.events import warning
from agent.held import Folder
from agent.logs.tail import Tail
from agent.redact import Redactor

log = logging.getLogger(__name__)

MAX_FILES = 256
"""Of one directory. Each is kept open, and the job may write there as many as it likes."""
MAX_FILES_EVER = 5_000
"""Of one directory, deleted ones too: each stays in the journal with its offset. A job has no more than a thousand steps."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what is written before each of its lines."""

    tail: Tail
    prefix: str
    own: bool = False
    """A file of the agent's with the runner's words, which no job can touch: secrets are taken out of the file too."""

    @property
    def path(self) -> Path:
        return self.tail.path


def source(
    path: Path,
    prefix: str,
    offset: int,
    *,
    redactor: Redactor,
    own: bool = False,
    folder: Folder | None = None,
) -> Source:
    """A source; characters of a file's name that UTF-8 cannot say are replaced in the prefix."""
    said = prefix.encode("utf-8", "replace").decode()
    return Source(Tail(path, offset, redactor=redactor, folder=folder), said, own)


@dataclass(eq=False, slots=True)
class Directory:
    """A directory in which files appear later; it need not be there yet. Symlinks are not followed."""

    folder: Folder
    pattern: str
    """As for `Path.glob`, without folders."""
    prefix: Callable[[Path], str]
    offset: Callable[[Path], int]
    redactor: Redactor
    _followed: set[Path] = field(default_factory=set)
    _seen: set[Path] = field(default_factory=set)

    @property
    def path(self) -> Path:
        return self.folder.path

    def new_sources(self) -> Iterator[Source]:
        """The files that were not there the last time, by name; each is open already."""
        if self._is_full():
            return
        for path in self._new_paths():
            if self._is_full():
                warning(log, "logs.too_many_files", path=self.path, followed=len(self._followed))
                return
            # A file of the same name as one that was deleted is another file.
            offset = 0 if path in self._seen else self.offset(path)
            self._followed.add(path)
            self._seen.add(path)
            found = source(
                path, self.prefix(path), offset, redactor=self.redactor, folder=self.folder
            )
            found.tail.hold()
            yield found

    def let_go(self, path: Path) -> None:
        """The file was deleted, and read to its end."""
        self._followed.discard(path)

    def _new_paths(self) -> list[Path]:
        with suppress(OSError):
            there = (self.path / name for name in self.folder.files(self.pattern))
            return [path for path in there if path not in self._followed]
        return []

    def _is_full(self) -> bool:
        return len(self._followed) >= MAX_FILES or len(self._seen) >= MAX_FILES_EVER
