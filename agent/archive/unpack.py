"""Unpacks an archive while it comes in, in one pass and in bounded memory: fetched, hashed and inflated, and written by a thread each."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.archive.ahead import Ahead
from agent.archive.inflate import MEND, Inflater, Limits, disk_trouble
from agent.archive.tar import Plain, members
from agent.archive.tree import Tree
from agent.clock import Clock
from agent.errors import ArchiveError, Interrupted
from agent.outcome import Reason

CHUNKS_AHEAD = 64
"""Of 64 KiB, as the sources give them."""
PIECES_AHEAD = 32


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
        with (
            Ahead(chunks, depth=CHUNKS_AHEAD, check=check, name="fetch") as fetched,
            Inflater(fetched, limits=limits, keep=keep, on_bytes=on_bytes, check=check) as inflater,
            Ahead(inflater.pieces(), depth=PIECES_AHEAD, check=check, name="inflate") as pieces,
        ):
            tree = Tree(into, owner)
            _unpack_all(Plain(pieces), tree, limits)
            return Unpacked(
                inflater.sha256,
                inflater.archive_bytes,
                inflater.unpacked_bytes,
                tree.members,
                round(clock.monotonic() - began, 3),
            )
    except OSError as exc:
        raise disk_trouble(into, exc) from exc


def _unpack_all(plain: Plain, tree: Tree, limits: Limits) -> None:
    for member in members(plain):
        if tree.members >= limits.members:
            raise ArchiveError(f"the archive has more than {limits.members} files", mend=MEND)
        tree.add(member, plain.content(member.size))
    plain.drain()
