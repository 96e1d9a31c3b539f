"""The reader of tar archives against those that the standard library writes, and against nonsense."""

import contextlib
import io
import tarfile
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.archive.tar import LARGEST_HEADER, Kind, Plain, members
from agent.errors import ArchiveError

KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.FOLDER,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARD_LINK,
}
Found = tuple[str, Kind, int, str, bytes]


def pieces(data: bytes, size: int = 700) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 700) -> list[Found]:
    plain = Plain(pieces(data, size))
    return [
        (m.name, m.kind, m.mode, m.target, b"".join(plain.content(m.size))) for m in members(plain)
    ]


def header(form: Literal[0, 1, 2] = tarfile.GNU_FORMAT, **fields: object) -> bytes:
    info = tarfile.TarInfo("name")
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(form)


def rewritten(block: bytes, at: int, field: bytes) -> bytes:
    """The header with a field replaced and its checksum right again."""
    changed = bytearray(block)
    changed[at : at + len(field)] = field
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def extended(**records: str) -> bytes:
    """A pax header."""
    return tarfile.TarInfo._create_pax_generic_header(records, tarfile.XHDTYPE, "utf-8")  # type: ignore[attr-defined,no-any-return]


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=120
)
ENTRIES = st.lists(
    st.tuples(
        st.lists(NAMES, min_size=1, max_size=3).map("/".join),
        st.sampled_from(list(KINDS)),
        st.integers(0, 0o7777),
        NAMES,
        st.binary(max_size=1500),
    ),
    min_size=1,
    max_size=5,
)


@given(ENTRIES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.integers(1, 3000))
def test_what_the_standard_library_writes_is_read_back(
    entries: list[tuple[str, bytes, int, str, bytes]], form: int, size: int
) -> None:
    out, wanted = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8") as archive:
        for name, kind, mode, target, body in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            info.linkname = target if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            content = body if kind == tarfile.REGTYPE else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
            wanted.append((info.name, KINDS[kind], mode, info.linkname, content))
    got = [(name.rstrip("/"), *rest) for name, *rest in read(out.getvalue(), size)]
    assert got == [(name.rstrip("/"), *rest) for name, *rest in wanted]


def test_a_long_name_in_ustars_own_form_is_joined() -> None:
    name = "d" * 120 + "/" + "f" * 90
    assert read(header(tarfile.USTAR_FORMAT, name=name))[0][0] == name


def test_a_size_in_gnus_binary_form_is_read() -> None:
    block = rewritten(header(), 124, b"\x80" + (3).to_bytes(11))
    assert read(block + b"abc" + bytes(509))[0][4] == b"abc"


def test_a_size_in_an_extended_header_wins() -> None:
    assert read(extended(size="3") + header() + b"abc" + bytes(509))[0][4] == b"abc"


def test_a_folder_may_be_a_file_with_a_slash_as_before_ustar() -> None:
    assert read(rewritten(header(name="bin/"), 156, b"\0"))[0][1] is Kind.FOLDER


def test_an_extended_header_is_for_one_member_only() -> None:
    got = read(extended(path="first") + header() + header(name="second"))
    assert [name for name, *_ in got] == ["first", "second"]


def test_a_comment_for_the_whole_archive_means_nothing() -> None:
    comment = tarfile.TarInfo.create_pax_global_header({"comment": "a commit"})
    assert [name for name, *_ in read(comment + header())] == ["name"]


def records(text: bytes) -> bytes:
    return header(type=b"x", size=len(text)) + text.ljust(512, b"\0") + header()


NONSENSE = {
    "a web page": b"<!DOCTYPE html>".ljust(2048),
    "nothing": b"",
    "an end without a beginning": bytes(1024),
    "half a header": header()[:300],
    "a wrong checksum": header()[:148] + b"77777777" + header()[156:],
    "a file cut short": header(size=10) + b"abc",
    "a negative size": rewritten(header(), 124, b"\xff" * 12),
    "a size that is not octal": rewritten(header(), 124, b"99999999999\0"),
    "an extended header too large": header(type=b"x", size=LARGEST_HEADER + 1),
    "a name of gibibytes": header(type=b"L", size=5 << 30),
    "a record longer than it says": records(b"9 path=xyz\n"),
    "a record without a length": records(b"path=x\n"),
    "a record of negative length": records(b"-9 path=x\n"),
    "a record of endless length": records(b"99999999999999999999999 path=x\n"),
    "a record that ends in nothing": records(b"9 path=xy"),
    "an extended size below zero": extended(size="-1") + header(),
    "an extended size beyond measure": extended(size="9" * 30) + header(),
    "a sparse file, as POSIX has it": extended(**{"GNU.sparse.major": "1"}) + header(),
    "a sparse file, as GNU has it": rewritten(header(), 156, b"S"),
    "one path for all": tarfile.TarInfo.create_pax_global_header({"path": "every"}) + header(),
    "a device": rewritten(header(), 156, b"3"),
    "a kind unheard of": rewritten(header(), 156, b"?"),
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_what_is_no_archive_of_a_runner_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        read(data)
    assert "\n" not in str(caught.value)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 100, 124, 156, 157, 257, 345]),
            st.binary(min_size=1, max_size=12),
            st.binary(max_size=600),
        ),
        max_size=4,
    )
)
def test_any_header_is_a_member_or_a_named_error(
    changes: list[tuple[int, bytes, bytes]],
) -> None:
    data = b"".join(rewritten(header(), at, field) + rest for at, field, rest in changes)
    with contextlib.suppress(ArchiveError):
        read(data)


@given(st.binary(max_size=600))
def test_any_extended_header_is_understood_or_a_named_error(text: bytes) -> None:
    with contextlib.suppress(ArchiveError):
        read(header(type=b"x", size=len(text)) + text + bytes(-len(text) % 512) + header())
