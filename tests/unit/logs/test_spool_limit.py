"""The spool's limit on real files that are written meanwhile."""

import os
import re
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.logs.spool_limit import SpoolLimit, hole_end
from agent.logs.tail import Line, Tail
from tests.fakes_shipper import RUNNER, Bench, soon

CLOCK = SystemClock()
MEGABYTE = 1024 * 1024
DROPPED = re.compile(r"\[(\d+) bytes of this log were dropped")
LINE = b"%07d " + b"x" * 91 + b"\n"


def write(path: Path, begin: int, end: int) -> None:
    with path.open("ab") as file:
        file.writelines(LINE % number for number in range(begin, end))


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture(autouse=True)
def _holes_are_possible(tmp_path: Path) -> None:
    probe = tmp_path / "probe.log"
    probe.write_bytes(b"x" * MEGABYTE)
    if not SpoolLimit(tmp_path, MEGABYTE // 2, clock=CLOCK).enforce():
        pytest.skip("this file system gives no part of a file back")
    probe.unlink()


def test_under_the_limit_nothing_is_dropped(tmp_path: Path) -> None:
    write(tmp_path / "run.log", 0, 1000)
    assert SpoolLimit(tmp_path, MEGABYTE, clock=CLOCK).enforce() == 0


def test_over_the_limit_the_oldest_goes_and_the_newest_stays(tmp_path: Path) -> None:
    run, other = tmp_path / "run.log", tmp_path / "agent.log"
    write(run, 0, 50_000)
    write(other, 0, 100)
    dropped = SpoolLimit(tmp_path, 2 * MEGABYTE, clock=CLOCK).enforce()
    assert on_disk(run) + on_disk(other) <= 2 * MEGABYTE
    assert run.stat().st_size == 50_000 * 100
    with run.open("rb") as file:
        assert hole_end(file.fileno(), 0) == dropped
        file.seek(-100, os.SEEK_END)
        assert file.read() == LINE % 49_999
    assert other.read_bytes().startswith(LINE % 0)


def test_one_line_says_how_much_is_missing_and_every_later_line_is_whole(tmp_path: Path) -> None:
    run = tmp_path / "run.log"
    write(run, 0, 50_000)
    tail = Tail(run)
    first = tail.read(limit_bytes=1)
    SpoolLimit(tmp_path, 2 * MEGABYTE, clock=CLOCK).enforce()
    write(run, 50_000, 50_010)
    lines: list[Line] = []
    while more := tail.read():
        lines += more
    (at,) = [number for number, line in enumerate(lines) if "dropped" in line.text]
    dropped = int(lines[at].text.split()[0].removeprefix("["))
    before = len(first) + at
    numbers = [int(line.text[:7]) for line in lines[at + 1 :]]
    assert dropped % 100 == 0
    assert numbers == list(range(before + dropped // 100, 50_010))
    assert lines[-1].end_offset == run.stat().st_size


def test_who_comes_later_says_it_too(tmp_path: Path) -> None:
    run = tmp_path / "run.log"
    write(run, 0, 50_000)
    SpoolLimit(tmp_path, 2 * MEGABYTE, clock=CLOCK).enforce()
    line, following = Tail(run).read(limit_bytes=1)[:2]
    assert "bytes of this log were dropped" in line.text
    assert following.text.endswith("x" * 91)


def test_a_shipper_whose_cloudwatch_is_away_keeps_the_spool_within_its_limit(
    bench: Bench, tmp_path: Path
) -> None:
    bench.client.open.clear()
    bench.housekeeping = SpoolLimit(tmp_path, MEGABYTE, clock=CLOCK).enforce
    shipper = bench.shipper(flush_seconds=0.01, poll_seconds=3600)
    run = tmp_path / "run.log"
    shipper.start()
    shipper.follow(run, RUNNER)
    write(run, 0, 100)
    deadline = soon()
    while on_disk(run) > MEGABYTE or run.stat().st_size < 50_000 * 100:
        assert not deadline.expired
        write(run, run.stat().st_size // 100, run.stat().st_size // 100 + 1000)
    bench.client.open.set()
    flushed = shipper.flush(soon(), final=True)
    sent = bench.client.streams[RUNNER]
    dropped = [int(found[1]) for line in sent if (found := DROPPED.match(line))]
    assert dropped
    assert (flushed.complete, flushed.dropped_bytes) == (True, sum(dropped))
    assert sent[-1] == (LINE % (run.stat().st_size // 100 - 1)).decode().rstrip()
    assert on_disk(run) <= MEGABYTE


def test_bytes_of_zero_that_a_job_wrote_are_no_hole(tmp_path: Path) -> None:
    run = tmp_path / "run.log"
    run.write_bytes(b"\0" * 10 + b"\nnext\n")
    assert [line.text for line in Tail(run).read()] == ["\ufffd" * 10, "next"]
