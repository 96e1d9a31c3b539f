"""Compressed chunks in, plain bytes out, hashed and counted on the way: one pass."""

import hashlib
import importlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from agent.errors import ArchiveError, RunnerDirError

try:
    fast: Any = importlib.import_module("isal.isal_zlib")
except ImportError:  # no wheel for this machine
    fast = zlib

GZIP = 31
"""zlib's window bits for a gzip header."""
MEND = "delete the object from the cache, where it came from there; check the proxy in between"


@dataclass(frozen=True, slots=True)
class Limits:
    """What no runner comes near; beyond it the archive is refused."""

    archive_bytes: int = 1 << 30
    unpacked_bytes: int = 6 << 30
    members: int = 200_000
    ratio: int = 60
    """Unpacked to compressed, looked at from `ratio_from_bytes` unpacked bytes on; a runner's is about 3."""
    ratio_from_bytes: int = 64 << 20


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /) -> bytes: ...


class Inflater:
    """A readable stream of the plain bytes, as `tarfile` wants one."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        *,
        limits: Limits,
        keep: Path | None,
        on_bytes: Callable[[int], None],
        check: Callable[[], None],
    ) -> None:
        """Takes nothing yet.

        Args:
            chunks: the archive.
            limits: beyond them ArchiveError.
            keep: where the compressed bytes are written too.
            on_bytes: told the size of each chunk.
            check: called for each chunk; what it raises ends the pass.
        """
        self._chunks = chunks
        self._limits = limits
        self._on_bytes = on_bytes
        self._check = check
        self._hash = hashlib.sha256()
        self._inflate: _Decompressor = fast.decompressobj(wbits=GZIP)
        self._plain = bytearray()
        self._keep = keep.open("wb") if keep is not None else None
        self._kept = keep
        self._begun = False
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

    def read(self, size: int) -> bytes:
        """At most `size` plain bytes; fewer only at the end.

        Raises:
            ArchiveError: not gzip, damaged, cut short, or over a limit.
            DownloadError: the transfer broke.
        """
        while len(self._plain) < size and self._inflate_more():
            pass
        taken = bytes(self._plain[:size])
        del self._plain[:size]
        return taken

    def drain(self) -> None:
        """Takes the rest: the digest is of the whole file, whatever follows the archive in it.

        Raises:
            ArchiveError: the rest is damaged, cut short or over the limit.
            DownloadError: the transfer broke.
        """
        while self._inflate_more():
            self._plain.clear()

    def _inflate_more(self) -> bool:
        """One chunk further; false at the end, where gzip's own checksum must have come."""
        chunk = self._next()
        if chunk is None:
            if not self._inflate.eof:
                raise ArchiveError(
                    f"the archive is cut short after {self.archive_bytes} bytes", mend=MEND
                )
            return False
        self._plain += self._plain_of(chunk)
        self._look_at_limits()
        return True

    def _next(self) -> bytes | None:
        self._check()
        chunk = next(self._chunks, None)
        if chunk is None:
            return None
        self._hash.update(chunk)
        self.archive_bytes += len(chunk)
        self._on_bytes(len(chunk))
        if self._keep is not None:
            try:
                self._keep.write(chunk)
            except OSError as exc:
                raise disk_trouble(self._kept or Path(), exc) from exc
        return chunk

    def _plain_of(self, chunk: bytes) -> bytes:
        plain = b""
        try:
            while chunk:
                if self._inflate.eof:
                    if not chunk.startswith(b"\x1f"):
                        break
                    self._inflate = fast.decompressobj(wbits=GZIP)
                plain += self._inflate.decompress(chunk)
                chunk = self._inflate.unused_data
        except _errors() as exc:
            first = "" if self._begun else f" (it begins with {chunk[:8]!r})"
            raise ArchiveError(
                f"the archive is not gzip or damaged after {self.archive_bytes} bytes{first}: {exc}",
                mend=MEND,
            ) from None
        self._begun = True
        self.unpacked_bytes += len(plain)
        return plain

    def _look_at_limits(self) -> None:
        limits, packed, plain = self._limits, self.archive_bytes, self.unpacked_bytes
        if packed > limits.archive_bytes or plain > limits.unpacked_bytes:
            raise ArchiveError(
                f"the archive is too large: {packed} bytes, {plain} unpacked", mend=MEND
            )
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


def _errors() -> tuple[Any, ...]:
    return (zlib.error, getattr(fast, "error", zlib.error), EOFError, ValueError)
