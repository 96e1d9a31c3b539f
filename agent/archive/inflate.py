"""Compressed chunks in, plain bytes out, hashed and counted on the way: one pass."""

import hashlib
import importlib
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, Self

from agent.archive.limits import MEND, PIECE_BYTES, Limits
from agent.errors import ArchiveError, RunnerDirError

try:
    fast: Any = importlib.import_module("isal.isal_zlib")
except ImportError:  # no wheel for this machine
    fast = zlib

GZIP = 31
"""zlib's window bits for a gzip header."""
MAGIC = b"\x1f\x8b"
SLICE_BYTES = 128 * 1024
"""Compressed bytes inflated at once."""


class Engine(Protocol):
    """What zlib's and isal's decompression objects have in common."""

    eof: bool
    unused_data: bytes

    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Inflater:
    """The plain bytes of a gzip stream."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        *,
        limits: Limits,
        keep: Path | None,
        on_bytes: Callable[[int], None],
        check: Callable[[], None],
        library: Any = fast,
    ) -> None:
        """Takes nothing yet.

        Args:
            chunks: the archive.
            limits: beyond them ArchiveError.
            keep: where the compressed bytes are written too.
            on_bytes: told the size of each chunk.
            check: called for each slice; what it raises ends the pass.
            library: `zlib` or a module like it.
        """
        self._chunks = chunks
        self._limits = limits
        self._on_bytes = on_bytes
        self._check = check
        self._library = library
        self._errors = (zlib.error, getattr(library, "error", zlib.error), EOFError, ValueError)
        self._hash = hashlib.sha256()
        self._keep = keep.open("wb") if keep is not None else None
        self._kept = keep
        self._head = b""
        self.archive_bytes = 0
        self.unpacked_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._keep is not None:
            self._keep.close()

    @property
    def sha256(self) -> str:
        """Of all compressed bytes so far, lower-case hex."""
        return self._hash.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The plain bytes as they come; taken to the end, the digest is of the whole file, whatever follows the gzip in it.

        Raises:
            ArchiveError: not gzip, damaged, cut short, or over a limit.
            DownloadError: the transfer broke.
        """
        engine, rest = self._new_engine(), b""
        slices = self._slices()
        for data in slices:
            rest += data
            while rest and not (engine.eof and len(rest) < len(MAGIC)):
                if engine.eof:
                    if not rest.startswith(MAGIC):
                        deque(slices, maxlen=0)
                        return
                    engine = self._new_engine()
                yield from self._inflated(engine, rest)
                rest = engine.unused_data
        if not engine.eof:
            raise ArchiveError(
                f"the runner's archive is cut short after {self.archive_bytes} bytes", mend=MEND
            )

    def _new_engine(self) -> Engine:
        engine: Engine = self._library.decompressobj(wbits=GZIP)
        return engine

    def _slices(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._take(chunk)
            for at in range(0, len(chunk), SLICE_BYTES):
                self._check()
                yield chunk[at : at + SLICE_BYTES]

    def _take(self, chunk: bytes) -> None:
        self._check()
        self._head = self._head or chunk[:8]
        self._hash.update(chunk)
        self.archive_bytes += len(chunk)
        self._on_bytes(len(chunk))
        if self.archive_bytes > self._limits.archive_bytes:
            raise ArchiveError(f"the archive has more than {self._limits.archive_bytes} bytes", mend=MEND)  # fmt: skip
        if self._keep is not None:
            try:
                self._keep.write(chunk)
            except OSError as exc:
                raise disk_trouble(self._kept or Path(), exc) from exc

    def _inflated(self, engine: Engine, data: bytes) -> Iterator[bytes]:
        full = True
        while not engine.eof and (data or full):
            try:
                plain = engine.decompress(data, PIECE_BYTES)
            except self._errors as exc:
                raise ArchiveError(
                    f"the runner's archive is damaged or no gzip: it does not unpack after {self.archive_bytes} bytes, {_what(self._head)} ({exc})",
                    mend=MEND,
                ) from None
            self.unpacked_bytes += len(plain)
            self._look_at_limits()
            yield plain
            # The engine may hold more than it gave, and no byte of what made it.
            full, data = len(plain) == PIECE_BYTES, engine.unconsumed_tail

    def _look_at_limits(self) -> None:
        limits, packed, plain = self._limits, self.archive_bytes, self.unpacked_bytes
        if plain > limits.unpacked_bytes:
            raise ArchiveError(f"the archive unpacks to more than {limits.unpacked_bytes} bytes", mend=MEND)  # fmt: skip
        if plain > limits.ratio_from_bytes and plain > packed * limits.ratio:
            raise ArchiveError(
                f"{packed} bytes of the archive unpack to {plain}: that is no runner", mend=MEND
            )


def disk_trouble(path: Path, exc: OSError) -> RunnerDirError:
    """A full, read-only or forbidden disk, said in one line."""
    return RunnerDirError(
        f"{path} cannot be written: {exc.strerror or exc}",
        mend="check RUNS_FLEET_RUNNER_DIR, its owner and the volume's size",
    )


def _what(head: bytes) -> str:
    """What begins like this; a proxy's page is the commonest thing that is no archive."""
    if head.startswith(MAGIC):
        return "though it begins as gzip"
    return f"and begins with {head!r}" + (", so it is a page" if head[:1] == b"<" else "")
