"""Both libraries that inflate: the fast one and the standard one."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.archive.inflate import SLICE_BYTES, Inflater, fast
from agent.archive.limits import Limits
from agent.errors import ArchiveError

LIBRARIES = pytest.mark.parametrize("library", [zlib, fast], ids=lambda library: library.__name__)
TEXT = os.urandom(50_000) + b"x" * 200_000


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def begun(library: Any, chunks: Iterator[bytes]) -> Inflater:
    return Inflater(
        chunks,
        limits=Limits(),
        keep=None,
        on_bytes=lambda _: None,
        check=lambda: None,
        library=library,
    )


def inflated(library: Any, chunks: Iterator[bytes]) -> tuple[bytes, str]:
    with begun(library, chunks) as inflater:
        return b"".join(inflater.pieces()), inflater.sha256


@LIBRARIES
@given(st.integers(1, 5000), st.sampled_from([b"", b"\0" * 700, b"ab\x1f\x8bcd", b"\x1f"]))
def test_whatever_the_chunks_the_bytes_and_the_digest_are_the_same(
    library: Any, size: int, trailing: bytes
) -> None:
    data = gzip.compress(b"one") + gzip.compress(b"two" * 1000) + trailing
    want = b"one" + b"two" * 1000, hashlib.sha256(data).hexdigest()
    assert inflated(library, cut(data, size)) == want


@LIBRARIES
@pytest.mark.parametrize("size", [100, SLICE_BYTES, SLICE_BYTES + 1, 1 << 20])
def test_much_in_little_pieces_or_large_ones(library: Any, size: int) -> None:
    assert inflated(library, cut(gzip.compress(TEXT), size))[0] == TEXT


@LIBRARIES
@pytest.mark.parametrize("missing", [1, 4, 8, 1000])
def test_a_gzip_that_is_cut_short_is_said_so(library: Any, missing: int) -> None:
    data = gzip.compress(TEXT)
    with pytest.raises(ArchiveError, match="cut short after"):
        inflated(library, iter([data[:-missing]]))


@LIBRARIES
def test_a_wrong_checksum_of_gzips_own_is_seen(library: Any) -> None:
    data = gzip.compress(TEXT)
    with pytest.raises(ArchiveError, match="damaged"):
        inflated(library, iter([data[:-8] + b"\1\2\3\4" + data[-4:]]))


@LIBRARIES
def test_what_is_not_gzip_is_named_by_its_first_bytes(library: Any) -> None:
    with pytest.raises(ArchiveError, match="b'<html>so'"):
        inflated(library, iter([b"<html>sorry</html>"]))


@LIBRARIES
def test_a_bomb_in_one_chunk_comes_out_in_pieces_and_is_refused_early(library: Any) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    header = gzip.compress(b"")[:10]
    sizes: list[int] = []
    inflater = begun(library, iter([header + mebibyte * 1024]))
    with pytest.raises(ArchiveError, match="no runner"):
        sizes.extend(len(piece) for piece in inflater.pieces())
    assert max(sizes) <= 1032 * SLICE_BYTES
    assert sum(sizes) < 100 << 20
