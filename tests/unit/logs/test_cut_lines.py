"""Lines that are longer than an event may be: nothing is lost, and no secret is cut in two."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.logs.batch import CONTINUED
from agent.logs.tail import MAX_LINE_BYTES, Line, Tail
from agent.redact import Redactor
from tests.fakes_shipper import RUNNER, Bench, soon

SECRET = "a-secret-that-nobody-may-read"


def all_lines(tail: Tail) -> list[Line]:
    lines: list[Line] = []
    while more := tail.read(final=True):
        lines += more
    return lines


@pytest.mark.parametrize("back", [1, 5, len(SECRET) - 1, len(SECRET), 0])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_secret_where_a_line_is_cut_is_in_one_piece(back: int, end: str, bench: Bench) -> None:
    bench.redactor.add(SECRET)
    line = "x" * (MAX_LINE_BYTES - back) + SECRET + "y" * 100
    bench.file.write_text(line + end)
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    assert shipper.flush(soon(), final=True).complete
    first, *others = bench.client.streams[RUNNER]
    whole = first + "".join(piece.removeprefix(CONTINUED) for piece in others)
    assert whole == line.replace(SECRET, "***")


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(
        st.sampled_from([0, 1, 50, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
        | st.integers(MAX_LINE_BYTES + 2, 3 * MAX_LINE_BYTES),
        max_size=8,
    ),
    end=st.sampled_from([b"\n", b"\r\n"]),
    secret=st.sampled_from(["", "s" * 40]),
)
def test_long_and_short_lines_beside_each_other_are_all_there(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], end: bytes, secret: str
) -> None:
    path = tmp_path_factory.mktemp("cut") / "run.log"
    path.write_bytes(b"".join(b"x" * size + end for size in sizes))
    redactor = Redactor()
    redactor.add(secret)
    lengths: list[int] = []
    for line in all_lines(Tail(path, redactor=redactor)):
        assert len(line.text) <= MAX_LINE_BYTES + 2 + len(secret)
        if line.continues:
            lengths[-1] += len(line.text)
        else:
            lengths.append(len(line.text))
    assert lengths == sizes


def test_who_goes_on_in_the_midst_of_a_line_knows_it(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"x" * (2 * MAX_LINE_BYTES) + b"\nnext\n")
    first, *_ = Tail(path).read()
    rest, following = all_lines(Tail(path, first.end_offset))
    assert rest.continues
    assert len(rest.text) == MAX_LINE_BYTES
    assert following == Line("next", path.stat().st_size)


def test_a_line_of_ten_megabytes_is_shipped_in_marked_pieces(bench: Bench) -> None:
    line = "".join(f"{number:09d} " for number in range(1_000_000))
    bench.file.write_text(line + "\n")
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    assert shipper.flush(soon(60), final=True).complete
    first, *others = bench.client.streams[RUNNER]
    assert all(piece.startswith(CONTINUED) for piece in others)
    assert first + "".join(piece.removeprefix(CONTINUED) for piece in others) == line
