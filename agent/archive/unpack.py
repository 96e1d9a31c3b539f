"""Unpacks an archive while it comes in; nothing that it holds can end up outside the directory.

The rules are those of tarfile's `data` filter (PEP 706) and stricter: no absolute path, no `..`, no link that leaves the tree, no
device, no path that leads through a link of the archive's own, no foreign owner, no setuid bit.
"""

import os
import posixpath
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agent.archive.inflate import MEND, Inflater, Limits, disk_trouble
from agent.clock import Clock
from agent.errors import ArchiveError, Interrupted
from agent.outcome import Reason

LARGEST_NAME = 4096
WRITE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive."""

    sha256: str
    """Of the compressed file, lower-case hex."""
    archive_bytes: int
    unpacked_bytes: int
    members: int
    seconds: float


def unpack(
    chunks: Iterator[bytes],
    into: Path,
    *,
    clock: Clock,
    limits: Limits | None = None,
    keep: Path | None = None,
    owner: tuple[int, int] | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
    stop: threading.Event,
) -> Unpacked:
    """Hashes, inflates and unpacks in one pass, in bounded memory.

    Args:
        chunks: the compressed bytes.
        into: an empty directory of the caller's.
        clock: for the time it took.
        limits: beyond them the archive is refused.
        keep: a file that gets the compressed bytes as they came.
        owner: uid and gid for everything; the agent's own when None.
        on_bytes: told the size of each chunk that came.
        stop: ends it.

    Raises:
        ArchiveError: not a gzipped tar, damaged, unsafe, or too large.
        DownloadError: from `chunks`.
        RunnerDirError: the disk would not take it.
        Interrupted: `stop` was set.
    """
    began = clock.monotonic()

    def check() -> None:
        if stop.is_set():
            raise Interrupted(Reason.STOP_SIGNAL, "stopped while the runner was being unpacked")

    limits = limits or Limits()
    try:
        with Inflater(chunks, limits=limits, keep=keep, on_bytes=on_bytes, check=check) as inflater:
            tree = _Tree(into, owner)
            _unpack_all(inflater, tree, limits)
            inflater.drain()
            return Unpacked(
                inflater.sha256,
                inflater.archive_bytes,
                inflater.unpacked_bytes,
                tree.members,
                round(clock.monotonic() - began, 3),
            )
    except OSError as exc:
        raise disk_trouble(into, exc) from exc


def _unpack_all(inflater: Inflater, tree: "_Tree", limits: Limits) -> None:
    try:
        with tarfile.open(fileobj=inflater, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                if tree.members >= limits.members:
                    raise ArchiveError(f"more than {limits.members} files", mend=MEND)
                tree.add(member, archive.extractfile(member) if member.isreg() else None)
    except (tarfile.TarError, ValueError, UnicodeError, OverflowError) as exc:
        raise ArchiveError(
            f"the archive is not a tar file or damaged: {type(exc).__name__} {exc}", mend=MEND
        ) from None


@dataclass(slots=True)
class _Tree:
    """The directory being filled; it knows what it made itself, so it never follows a link."""

    root: Path
    owner: tuple[int, int] | None
    members: int = 0
    _folders: set[str] = field(default_factory=lambda: {"."})
    _files: set[str] = field(default_factory=set)
    _links: set[str] = field(default_factory=set)

    def add(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        self.members += 1
        name = self._safe(member.name, member)
        if member.isdir():
            self._folder(name)
            return
        if name == ".":
            raise _unsafe(member, "stands in the place of the directory itself")
        self._folder(posixpath.dirname(name) or ".")
        if name in self._folders:
            raise _unsafe(member, "stands in the place of a directory")
        if name in self._files | self._links:
            (self.root / name).unlink()
            self._files.discard(name)
            self._links.discard(name)
        if member.issym():
            self._symlink(name, member)
        elif member.islnk():
            self._hard_link(name, member)
        elif content is not None:
            self._file(name, content, member.mode)
        else:
            raise _unsafe(member, "is neither a file nor a directory nor a link")

    def _safe(self, name: str, member: tarfile.TarInfo) -> str:
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\0" in name or len(name) > LARGEST_NAME:
            raise _unsafe(member, "leads out of the runner directory")
        return posixpath.normpath(name)

    def _folder(self, name: str) -> None:
        if name in self._folders:
            return
        self._folder(posixpath.dirname(name) or ".")
        if name in self._links or name in self._files:
            raise ArchiveError(f"{name!r} in the archive leads through a link or a file", mend=MEND)
        path = self.root / name
        path.mkdir(mode=0o755)
        path.chmod(0o755)
        self._own(path)
        self._folders.add(name)

    def _file(self, name: str, content: IO[bytes], mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self.root / name, flags, 0o600)
        try:
            while data := content.read(WRITE_BYTES):
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
            os.fchmod(handle, 0o755 if mode & 0o100 else 0o644)
            if self.owner is not None:
                os.fchown(handle, *self.owner)
        finally:
            os.close(handle)
        self._files.add(name)

    def _symlink(self, name: str, member: tarfile.TarInfo) -> None:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        climbs_late = ".." in member.linkname.lstrip("./").split("/")
        leads_out = member.linkname.startswith("/") or target.split("/")[0] == ".."
        if not member.linkname or leads_out or climbs_late:
            # A `..` behind another link's name climbs from wherever that link leads.
            raise _unsafe(member, f"links to {member.linkname!r}, out of the runner directory")
        path = self.root / name
        path.symlink_to(member.linkname)
        self._own(path)
        self._links.add(name)

    def _hard_link(self, name: str, member: tarfile.TarInfo) -> None:
        target = posixpath.normpath(member.linkname)
        if target not in self._files:
            raise _unsafe(member, f"links to {member.linkname!r}, which is no file of the archive")
        os.link(self.root / target, self.root / name, follow_symlinks=False)
        self._files.add(name)

    def _own(self, path: Path) -> None:
        if self.owner is not None:
            os.chown(path, *self.owner, follow_symlinks=False)


def _unsafe(member: tarfile.TarInfo, why: str) -> ArchiveError:
    return ArchiveError(f"{member.name[:200]!r} in the archive {why}", mend=MEND)
