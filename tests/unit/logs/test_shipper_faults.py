import logging
from pathlib import Path

import pytest

from agent.logs.shipper import Flushed, Shipper
from tests.fakes_logs import DENIED, THROTTLED, refusal
from tests.fakes_shipper import AGENT, CLOCK, GROUP, RUNNER, Bench, numbered, say, soon


def test_an_outage_delays_lines_but_loses_none(bench: Bench) -> None:
    bench.client.fail["put_log_events"] = [THROTTLED, refusal("InternalFailure", 500), THROTTLED]
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\ntwo\n")
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == ["one", "two"]


def test_a_flush_returns_by_its_deadline_even_when_cloudwatch_hangs(bench: Bench) -> None:
    bench.client.open.clear()
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\ntwo\n")
    began = CLOCK.monotonic()
    flushed = shipper.flush(soon(0.3), final=True)
    assert CLOCK.monotonic() - began < 5
    assert flushed == Flushed(complete=False, unsent_lines=2, sent_lines={RUNNER: 0})
    bench.client.open.set()
    assert bench.client.wait_for(RUNNER, 2) == ["one", "two"]


def test_a_stream_that_fails_does_not_hold_up_another(bench: Bench) -> None:
    other = bench.file.with_name("agent.log")
    bench.client.fail[RUNNER] = [THROTTLED] * 1000
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    shipper.follow(other, AGENT)
    say(bench.file, "one\n")
    say(other, "two\n")
    flushed = shipper.flush(soon(0.5), final=True)
    assert not flushed.complete
    assert flushed.sent_lines == {RUNNER: 0, AGENT: 1}
    assert flushed.unsent_lines == 1


def test_a_refused_stream_is_incomplete_at_once_and_tried_again_by_the_next_flush(
    bench: Bench,
) -> None:
    bench.client.fail["create_log_stream"] = [DENIED]
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\ntwo\n")
    began = CLOCK.monotonic()
    assert shipper.flush(soon(), final=False).unsent_lines == 2
    assert CLOCK.monotonic() - began < 5
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == ["one", "two"]


def test_lines_that_cloudwatch_refuses_are_reported_as_unsent(bench: Bench) -> None:
    bench.client.fail["put_log_events"] = [refusal("InvalidParameterException")]
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "one\ntwo\n")
    flushed = shipper.flush(soon(), final=True)
    assert (flushed.complete, flushed.unsent_lines) == (False, 2)


def test_memory_is_bounded_while_cloudwatch_hangs(bench: Bench) -> None:
    bench.client.open.clear()
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    say(bench.file, "".join(f"{line}\n" for line in numbered(100_000)))
    shipper.flush(soon(0.5), final=True)
    held = shipper._lanes[RUNNER].backlog
    assert len(held._pending) < 40_000
    bench.client.open.set()
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == numbered(100_000)


def test_a_failing_journal_does_not_stop_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(stream: str, path: Path, offset: int) -> None:
        raise OSError(28, "no space left")

    shipper = Shipper(
        bench.client,
        GROUP,
        clock=CLOCK,
        redactor=bench.redactor,
        on_shipped=broken,
        poll_seconds=0.01,
    )
    bench.shippers.append(shipper)
    shipper.follow(bench.file, RUNNER)
    with caplog.at_level(logging.WARNING):
        say(bench.file, "one\n")
        assert shipper.flush(soon(), final=True).complete
        say(bench.file, "two\n")
        assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == ["one", "two"]
    assert [message.split()[0] for message in caplog.messages] == ["logs.trouble"]


def test_a_stopped_shipper_answers_a_flush_at_once(bench: Bench) -> None:
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    shipper.start()
    shipper.stop()
    say(bench.file, "one\n")
    assert shipper.flush(soon(), final=True).unsent_lines == 1
