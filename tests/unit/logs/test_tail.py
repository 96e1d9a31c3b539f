import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.logs.tail import MAX_LINE_BYTES, Line, Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def all_lines(tail: Tail, *, final: bool = False) -> list[Line]:
    lines: list[Line] = []
    while more := tail.read(final=final):
        lines += more
    return lines


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_a_file_that_does_not_exist_yet_is_empty_so_far(path: Path) -> None:
    tail = Tail(path)
    assert tail.read() == []
    append(path, b"one\n")
    assert tail.read() == [Line("one", 4)]
    assert tail.offset == 4


def test_a_line_without_an_end_is_kept_until_it_has_one(path: Path) -> None:
    tail = Tail(path)
    append(path, b"a\nhal")
    assert texts(tail.read()) == ["a"]
    assert tail.read() == []
    append(path, b"f\n")
    assert tail.read() == [Line("half", 7)]


def test_the_last_line_without_an_end_counts_when_nobody_writes_any_more(path: Path) -> None:
    append(path, b"a\nlast")
    tail = Tail(path)
    assert tail.read(final=True) == [Line("a", 2), Line("last", 6)]
    assert tail.read(final=True) == []


def test_it_goes_on_from_an_offset(path: Path) -> None:
    append(path, b"one\ntwo\n")
    assert Tail(path, offset=4).read() == [Line("two", 8)]


def test_an_offset_beyond_the_end_means_another_file_read_from_its_beginning(path: Path) -> None:
    append(path, b"one\n")
    assert texts(Tail(path, offset=100).read()) == ["one"]


def test_line_ends_nul_and_invalid_utf8_are_made_harmless(path: Path) -> None:
    append(path, b"crlf\r\n\n\xff\x00ok\r50%\r100%\n")
    assert texts(Tail(path).read()) == ["crlf", "", "\ufffd\ufffdok\r50%\r100%"]


def test_a_file_that_shrinks_is_read_again_from_its_beginning(path: Path) -> None:
    tail = Tail(path)
    append(path, b"first\nrest")
    assert texts(tail.read()) == ["first"]
    path.write_bytes(b"new\n")
    assert tail.read() == [Line("rest", 0), Line("new", 4)]


def test_a_replaced_file_is_read_to_its_end_and_then_the_new_one(path: Path) -> None:
    tail = Tail(path)
    append(path, b"one\n")
    tail.read()
    append(path, b"two\nunfinished")
    path.rename(path.with_name("old"))
    append(path, b"three\n")
    assert tail.read() == [Line("two", 8), Line("unfinished", 0), Line("three", 6)]


def test_a_deleted_file_is_read_to_its_end(path: Path) -> None:
    tail = Tail(path)
    append(path, b"one\n")
    tail.read()
    append(path, b"two\n")
    path.unlink()
    assert texts(tail.read()) == ["two"]


def test_a_symlink_is_not_followed_and_warned_of_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = path.with_name("secret")
    secret.write_text("secret\n")
    path.symlink_to(secret)
    tail = Tail(path)
    with caplog.at_level(logging.WARNING):
        assert tail.read() == tail.read(final=True) == []
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("logs.unreadable")


def test_a_pipe_or_a_directory_in_the_files_place_does_not_block(path: Path) -> None:
    os.mkfifo(path)
    assert Tail(path).read() == []
    assert Tail(path.parent).read() == []


def test_an_endless_line_comes_in_pieces_cut_between_characters(path: Path) -> None:
    line = "€" * MAX_LINE_BYTES
    append(path, line.encode() + b"\nshort\n")
    *pieces, short = texts(all_lines(Tail(path)))
    assert "".join(pieces) == line
    assert all(len(piece.encode()) <= MAX_LINE_BYTES for piece in pieces)
    assert short == "short"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_of_exactly_the_limit_is_one_line(path: Path, end: bytes) -> None:
    append(path, b"x" * MAX_LINE_BYTES + end)
    assert [len(line.text) for line in all_lines(Tail(path))] == [MAX_LINE_BYTES]


def test_a_read_stops_near_its_limit(path: Path) -> None:
    append(path, b"0123456789\n" * 100_000)
    assert len(Tail(path).read(limit_bytes=1)) < 10_000


def test_unread_lines_are_counted(path: Path) -> None:
    tail = Tail(path)
    assert tail.lines_left() == 0
    append(path, b"one\ntwo\nthree")
    assert tail.lines_left() == 3
    tail.read()
    assert tail.lines_left() == 1


def test_it_goes_on_where_it_was_closed(path: Path) -> None:
    tail = Tail(path)
    append(path, b"one\ntwo")
    tail.read()
    tail.close()
    append(path, b"!\n")
    assert texts(tail.read()) == ["two!"]


def test_a_tail_that_is_dropped_lets_go_of_its_file(path: Path) -> None:
    append(path, b"one\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    tail = Tail(path)
    tail.read()
    del tail
    assert len(list(Path("/proc/self/fd").iterdir())) == before


words = st.binary(max_size=12) | st.sampled_from(
    [b"\n", b"\r\n", b"\n\n", "ä€😀".encode(), b"\xe2"]
)


@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(words, max_size=20), data=st.data())
def test_the_same_bytes_give_the_same_lines_however_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(chunks)
    directory = tmp_path_factory.mktemp("tail")
    at_once, in_parts = directory / "at_once", directory / "in_parts"
    at_once.write_bytes(whole)
    tail, lines = Tail(in_parts), list[Line]()
    for chunk in chunks:
        append(in_parts, chunk)
        if data.draw(st.booleans()):
            lines += tail.read(limit_bytes=data.draw(st.integers(1, 40)))
    lines += all_lines(tail, final=True)
    assert lines == all_lines(Tail(at_once), final=True)
    expected = whole.decode("utf-8", "replace").replace("\0", "\ufffd")
    ended = [line.removesuffix("\r") for line in expected.removesuffix("\n").split("\n")]
    assert "\n".join(texts(lines)) == "\n".join(ended)


WRITER = """
import os, sys
out = open(sys.argv[1], "ab", buffering=0)
for n in range(20000):
    out.write(b"%06d %s\\n" % (n, b"x" * (n % 300)))
"""


def test_lines_of_a_process_that_writes_beside_it_arrive_once_and_in_order(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as writer:
        tail, lines = Tail(path), list[Line]()
        while writer.poll() is None:
            lines += tail.read()
    lines += all_lines(tail, final=True)
    assert [int(line.text[:6]) for line in lines] == list(range(20000))
    assert lines[-1].end_offset == path.stat().st_size
