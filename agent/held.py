"""Folders that a job may write to, opened by their handles: no link is followed, nothing but a plain file is read, nothing blocks.

A path that was looked at a moment ago leads elsewhere now, when somebody else may rename what it goes through. So each part below the
last folder that is not the job's is opened without following a link, and the next one, and the file, relative to that handle.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

MAX_ENTRIES = 10_000
"""Of a folder are looked at: a job may make a million of them."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a folder is; nothing is opened before it is asked for. All of its methods may raise OSError."""

    anchor: Path
    """Not the job's, nor anything above it: links on the way to here are the administrator's, and are followed."""
    parts: tuple[str, ...] = ()
    """From there on."""

    @classmethod
    def at(cls, path: Path) -> "Folder":
        """A folder whose parent is nobody's to change but ours."""
        return cls(path.parent, (path.name,))

    @classmethod
    def of_the_runner(cls, runner_dir: Path, *parts: str) -> "Folder":
        """A folder of the runner's. Its directory is the job's, the name of that is not."""
        return cls(runner_dir.parent, (runner_dir.name, *parts))

    @property
    def path(self) -> Path:
        """For words, and as a name."""
        return self.anchor.joinpath(*self.parts)

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A handle on the folder that is there at this moment."""
        handle = os.open(self.anchor, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in self.parts:
                below = os.open(part, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    def open(self, name: str) -> int:
        """A descriptor to read a file of the folder by; the caller closes it."""
        with self.opened() as folder:
            return open_in(folder, name) if self.parts else _plain(folder, name)

    def files(self, pattern: str) -> list[str]:
        """The names of its plain files that fit the pattern, sorted; of a folder with more than `MAX_ENTRIES`, some of them."""
        with self.opened() as folder, os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in islice(entries, MAX_ENTRIES)
                if fnmatchcase(entry.name, pattern) and entry.is_file(follow_symlinks=False)
            )

    def lstat(self, name: str) -> os.stat_result:
        with self.opened() as folder:
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def read(self, name: str, most_bytes: int) -> bytes:
        """The file's content, whoever owns it; one that is larger is an error."""
        with self.opened() as folder, os.fdopen(_plain(folder, name), "rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise OSError(errno.EFBIG, "larger than such a file can be", name)
        return content


def open_in(folder: int, name: str) -> int:
    """As `Folder.open`, in a folder that is open.

    Raises:
        OSError: it is no plain file, or belongs to another than the folder: a job may have linked somebody's file.
    """
    handle = _plain(folder, name)
    if os.fstat(handle).st_uid != os.fstat(folder).st_uid:
        os.close(handle)
        raise OSError(errno.EPERM, "a file of somebody else's", name)
    return handle


def _plain(folder: int, name: str) -> int:
    handle = os.open(name, _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a plain file", name)
    return handle
