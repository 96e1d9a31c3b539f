"""Where lines come from: one file, or every file of a directory that fits a pattern."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.events import warning
from agent.logs.tail import Tail
from agent.redact import Redactor

log = logging.getLogger(__name__)

MAX_FILES = 256
"""Of one directory. Each is kept open, and the job may write there as many as it likes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what is written before each of its lines."""

    tail: Tail
    prefix: str
    own: bool = False
    """A file of the agent's, which no job can touch: secrets are taken out of the file too."""

    @property
    def path(self) -> Path:
        return self.tail.path


def source(
    path: Path, prefix: str, offset: int, *, redactor: Redactor, own: bool = False
) -> Source:
    """A source; characters of a file's name that UTF-8 cannot say are replaced in the prefix."""
    said = prefix.encode("utf-8", "replace").decode()
    return Source(Tail(path, offset, redactor=redactor), said, own)


@dataclass(eq=False, slots=True)
class Directory:
    """A directory in which files appear later; it need not be there yet. Symlinks are not followed."""

    path: Path
    pattern: str
    """As for `Path.glob`, without folders."""
    prefix: Callable[[Path], str]
    offset: Callable[[Path], int]
    redactor: Redactor
    _followed: set[Path] = field(default_factory=set)
    _seen: set[Path] = field(default_factory=set)
    _full: bool = False

    def new_sources(self) -> Iterator[Source]:
        """The files that were not there the last time, by name; each is open already."""
        for path in self._new_paths():
            if len(self._followed) >= MAX_FILES:
                self._say_full()
                return
            # A file of the same name as one that was deleted is another file.
            offset = 0 if path in self._seen else self.offset(path)
            self._followed.add(path)
            self._seen.add(path)
            found = source(path, self.prefix(path), offset, redactor=self.redactor)
            found.tail.hold()
            yield found

    def let_go(self, path: Path) -> None:
        """The file was deleted, and read to its end."""
        self._followed.discard(path)

    def _new_paths(self) -> list[Path]:
        try:
            if self.path.is_symlink():
                return []
            return sorted(set(self.path.glob(self.pattern)) - self._followed)
        except OSError:
            return []

    def _say_full(self) -> None:
        if not self._full:
            warning(log, "logs.too_many_files", path=self.path, followed=MAX_FILES)
        self._full = True
