"""The directory that an archive is unpacked into: nothing put into it can end up outside.

The rules are those of tarfile's `data` filter (PEP 706) and stricter: no absolute path, no `..`, no link that leaves the tree, no
device, no path that leads through a link of the archive's own, no foreign owner, no setuid bit.
"""

import errno
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from agent.archive.limits import MEND
from agent.archive.tar import Kind, Member
from agent.errors import ArchiveError

LARGEST_NAME_BYTES = 4096
"""Linux's PATH_MAX."""
DEEPEST = 64
"""Directories in one another; npm's own trees in a runner go to about 15."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMES_REFUSED = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.EMLINK)
"""What a file system says to a name that it cannot take: the archive's fault, not the disk's."""


class Tree:
    """It knows what it made itself, so it never has to follow a link to find out."""

    def __init__(self, root: Path, owner: tuple[int, int] | None) -> None:
        """Takes over an empty directory.

        Args:
            root: the directory.
            owner: uid and gid for everything in it; the agent's own when None.
        """
        self._root = os.fspath(root)
        self._owner = owner
        self._made: dict[str, Kind] = {".": Kind.FOLDER}
        self.members = 0

    def add(self, member: Member, content: Iterator[memoryview]) -> None:
        """Makes one member; of a file, `content` is taken to its end.

        Raises:
            ArchiveError: the member is refused.
            OSError: the disk would not take it.
        """
        self.members += 1
        name = _safe_name(member)
        try:
            if member.kind is Kind.FOLDER:
                self._folder(name)
            else:
                self._leaf(name, member, content)
        except OSError as exc:
            if exc.errno in _NAMES_REFUSED:
                raise _unsafe(member, f"has a name that cannot be: {exc.strerror}") from None
            raise

    def _leaf(self, name: str, member: Member, content: Iterator[memoryview]) -> None:
        self._folder(posixpath.dirname(name) or ".")
        if (there := self._made.get(name)) is Kind.FOLDER:
            raise _unsafe(member, "stands in the place of a directory")
        if there is not None:
            Path(self._path(name)).unlink()
            del self._made[name]
        if member.kind is Kind.FILE:
            self._file(name, member.mode, content)
        elif member.kind is Kind.SYMLINK:
            self._symlink(name, member)
        else:
            self._hard_link(name, member)
        # A second name of a file is a file.
        self._made[name] = Kind.FILE if member.kind is Kind.HARD_LINK else member.kind

    def _folder(self, name: str) -> None:
        """The directory and those above it that are missing."""
        missing = []
        while (there := self._made.get(name)) is None:
            missing.append(name)
            name = posixpath.dirname(name) or "."
        if there is not Kind.FOLDER:
            raise ArchiveError(f"{name!r} in the archive leads through a link or a file", mend=MEND)
        for new in reversed(missing):
            path = Path(self._path(new))
            path.mkdir()
            path.chmod(0o755)
            self._own(path)
            self._made[new] = Kind.FOLDER

    def _file(self, name: str, mode: int, content: Iterator[memoryview]) -> None:
        handle = os.open(self._path(name), _CREATE, 0o600)
        try:
            for piece in content:
                left = piece
                while left:
                    left = left[os.write(handle, left) :]
            os.fchmod(handle, 0o755 if mode & 0o100 else 0o644)
            if self._owner is not None:
                os.fchown(handle, *self._owner)
        finally:
            os.close(handle)

    def _symlink(self, name: str, member: Member) -> None:
        steps = member.target.split("/")
        climbs = next(
            (i for i, step in enumerate(steps) if step not in ("..", ".", "")), len(steps)
        )
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.target))
        # A `..` behind a name climbs from wherever that name leads, which may be a link's end.
        if (
            not member.target
            or "\0" in member.target
            or target.startswith(("/", "../"))
            or target == ".."
            or ".." in steps[climbs:]
        ):
            raise _unsafe(member, f"links to {member.target[:200]!r}, out of the runner directory")
        path = Path(self._path(name))
        path.symlink_to(member.target)
        self._own(path)

    def _hard_link(self, name: str, member: Member) -> None:
        target = posixpath.normpath(member.target)
        if self._made.get(target) is not Kind.FILE:
            raise _unsafe(member, f"links to {member.target[:200]!r}, no file of the archive's own")
        os.link(self._path(target), self._path(name), follow_symlinks=False)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _own(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, *self._owner, follow_symlinks=False)


def _safe_name(member: Member) -> str:
    name = member.name
    steps = name.split("/")
    if name.startswith("/") or ".." in steps or "\0" in name:
        raise _unsafe(member, "leads out of the runner directory")
    if not name or len(os.fsencode(name)) > LARGEST_NAME_BYTES or len(steps) > DEEPEST:
        raise _unsafe(member, "has a name that cannot be: empty, too long or too deep")
    return posixpath.normpath(name)


def _unsafe(member: Member, why: str) -> ArchiveError:
    return ArchiveError(f"{member.name[:200]!r} in the archive {why}", mend=MEND)
