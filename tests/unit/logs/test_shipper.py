import logging
import subprocess
import sys
from pathlib import Path

import pytest

from agent.held import Folder
from agent.logs.shipper import Flushed, Shipper
from agent.redact import Redactor
from tests.fakes_logs import THROTTLED, FakeLogs
from tests.fakes_shipper import (
    AGENT,
    CLOCK,
    GROUP,
    RUNNER,
    Bench,
    numbered,
    say,
    shipper_threads,
    soon,
)


def test_everything_written_so_far_is_sent_by_a_flush(bench: Bench) -> None:
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\ntwo\npartial")
    flushed = shipper.flush(soon(), final=False)
    assert flushed == Flushed(complete=True, unsent_lines=0, sent_lines={RUNNER: 2})
    assert bench.client.streams[RUNNER] == ["one", "two"]
    assert bench.offsets == {(RUNNER, bench.file): 8}


def test_the_final_flush_sends_the_last_line_without_an_end_too(bench: Bench) -> None:
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\npartial")
    assert shipper.flush(soon(), final=True).sent_lines == {RUNNER: 2}
    assert bench.client.streams[RUNNER] == ["one", "partial"]
    assert bench.offsets == {(RUNNER, bench.file): bench.file.stat().st_size}


def test_lines_go_out_by_themselves_after_the_flush_time(bench: Bench) -> None:
    shipper = bench.shipper(flush_seconds=0.05)
    shipper.start()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\n")
    assert bench.client.wait_for(RUNNER, 1) == ["one"]


def test_a_whole_batch_goes_out_at_once(bench: Bench) -> None:
    shipper = bench.shipper(flush_seconds=3600)
    shipper.start()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "x\n" * 10_001)
    assert len(bench.client.wait_for(RUNNER, 10_000)) == 10_000


def test_a_crashed_shippers_successor_sends_exactly_the_rest(bench: Bench) -> None:
    first = bench.shipper()
    first.follow(bench.file, RUNNER)
    say(bench.file, "one\ntw")
    first.flush(soon(), final=False)
    first.stop()
    say(bench.file, "o\nthree\n")
    second = bench.shipper()
    second.follow(bench.file, RUNNER, offset=bench.offsets[RUNNER, bench.file])
    second.flush(soon(), final=True)
    assert bench.client.streams[RUNNER] == ["one", "two", "three"]


def test_a_file_that_is_followed_already_is_not_sent_twice(bench: Bench) -> None:
    shipper = bench.shipper()
    say(bench.file, "one\n")
    shipper.follow(bench.file, RUNNER)
    shipper.follow(bench.file, RUNNER)
    shipper.flush(soon(), final=True)
    assert bench.client.streams[RUNNER] == ["one"]


def test_files_that_appear_later_in_a_directory_are_sent_behind_their_prefix(bench: Bench) -> None:
    shipper = bench.shipper()
    diag = bench.file.parent / "_diag"
    shipper.follow_directory(
        Folder.at(diag), "*.log", RUNNER, prefix=lambda path: f"[_diag/{path.name}] "
    )
    assert shipper.flush(soon(), final=False).complete
    diag.mkdir()
    say(diag / "Worker_1.log", "two\n")
    say(diag / "Runner_1.log", "one\n")
    say(diag / "other.txt", "no\n")
    assert shipper.flush(soon(), final=True).complete
    sent = sorted(bench.client.streams[RUNNER])
    assert sent == ["[_diag/Runner_1.log] one", "[_diag/Worker_1.log] two"]


def test_a_directory_that_is_a_symlink_is_not_read(bench: Bench) -> None:
    elsewhere = bench.file.parent / "elsewhere"
    elsewhere.mkdir()
    say(elsewhere / "a.log", "secret\n")
    link = bench.file.parent / "_diag"
    link.symlink_to(elsewhere)
    shipper = bench.shipper()
    shipper.follow_directory(Folder.at(link), "*.log", RUNNER, prefix=str)
    assert shipper.flush(soon(), final=True).sent_lines == {RUNNER: 0}


def test_only_so_many_files_of_a_directory_are_followed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(300):
        say(bench.file.parent / f"{number:03d}.log", "x\n")
    shipper = bench.shipper()
    shipper.follow_directory(Folder.at(bench.file.parent), "*.log", RUNNER, prefix=lambda _: "")
    with caplog.at_level(logging.WARNING):
        assert shipper.flush(soon(), final=True).sent_lines == {RUNNER: 256}
    assert [message.split()[0] for message in caplog.messages] == ["logs.too_many_files"]


def test_a_moved_file_goes_on_in_its_new_stream(bench: Bench) -> None:
    shipper = bench.shipper()
    shipper.start()
    shipper.follow(bench.file, "boot/i-1/agent")
    say(bench.file, "early\nhal")
    shipper.move(bench.file, AGENT)
    say(bench.file, "f\nlate\n")
    shipper.move(bench.file, AGENT)
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams == {"boot/i-1/agent": ["early"], AGENT: ["half", "late"]}
    assert bench.offsets["boot/i-1/agent", bench.file] == 6
    assert bench.offsets[AGENT, bench.file] == bench.file.stat().st_size


def test_secrets_are_masked_before_they_leave(bench: Bench) -> None:
    bench.redactor.add("hunter2-token")
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "token=hunter2-token.\n")
    shipper.flush(soon(), final=True)
    assert bench.client.streams[RUNNER] == ["token=***."]


@pytest.mark.parametrize(("client", "group"), [(None, GROUP), (FakeLogs(), "")], ids=["c", "g"])
def test_without_a_client_or_a_group_shipping_is_off_and_complete(
    client: FakeLogs | None, group: str, tmp_path: Path
) -> None:
    before = shipper_threads()
    shipper = Shipper(client, group, clock=CLOCK, redactor=Redactor(), on_shipped=lambda *_: None)
    shipper.follow(tmp_path / "a", AGENT)
    shipper.follow_directory(Folder.at(tmp_path), "*", AGENT, prefix=str)
    shipper.move(tmp_path / "a", RUNNER)
    shipper.start()
    assert shipper.flush(soon(), final=True) == Flushed(complete=True)
    shipper.stop()
    assert shipper_threads() == before


WRITER = """
import sys
for number in range(10_000):
    sys.stdout.write(f"line {number}\\n")
    if number % 100 == 0:
        sys.stdout.flush()
sys.stdout.write("last words")
"""


def test_ten_thousand_lines_of_a_process_arrive_once_and_in_order(bench: Bench) -> None:
    shipper = bench.shipper(flush_seconds=0.05)
    bench.client.fail["put_log_events"] = [THROTTLED, THROTTLED]
    shipper.start()
    shipper.follow(bench.file, RUNNER)
    with bench.file.open("wb") as out:
        subprocess.run([sys.executable, "-c", WRITER], stdout=out, check=True, timeout=60)
    flushed = shipper.flush(soon(), final=True)
    assert flushed == Flushed(complete=True, sent_lines={RUNNER: 10_001})
    assert bench.client.streams[RUNNER] == [*numbered(10_000), "last words"]
