"""Unpacks an archive while it comes in, in one pass and in bounded memory: fetched, hashed and inflated, and written by a thread each."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.archive.ahead import Ahead
from agent.archive.beside import FROM_BYTES, extract_beside
from agent.archive.extract import extract
from agent.archive.inflate import Inflater, disk_trouble
from agent.archive.limits import Limits
from agent.clock import Clock
from agent.errors import Interrupted
from agent.outcome import Reason

CHUNKS_AHEAD = 16
"""Of 64 KiB from GitHub, of 256 KiB from S3."""


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
    size: int | None = None,
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
        size: of the archive in bytes, as announced: a large one is written by a process of its own.
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
        ):
            if size is not None and size >= FROM_BYTES:
                members = extract_beside(
                    inflater.pieces(), into, owner=owner, most_members=limits.members, check=check
                )
            else:
                members = extract(inflater.pieces(), into, owner=owner, most_members=limits.members)
            return Unpacked(
                inflater.sha256,
                inflater.archive_bytes,
                inflater.unpacked_bytes,
                members,
                round(clock.monotonic() - began, 3),
            )
    except OSError as exc:
        raise disk_trouble(into, exc) from exc
