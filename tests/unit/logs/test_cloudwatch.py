import logging
from pathlib import Path

import pytest

from agent.logs.batch import Event, events
from agent.logs.cloudwatch import LogStream, Put
from tests.fakes_logs import DENIED, THROTTLED, FakeLogs, refusal

GROUP, STREAM = "/runs-fleet/agent", "4711/i-1/runner"
MISSING = refusal("ResourceNotFoundException")


def batch(*texts: str) -> tuple[Event, ...]:
    return tuple(event for text in texts for event in events(1, text, Path("run.log"), 1))


def stream_of(client: FakeLogs) -> LogStream:
    return LogStream(client, GROUP, STREAM)


def test_the_stream_is_made_once_and_fed_in_order() -> None:
    client = FakeLogs(GROUP)
    stream = stream_of(client)
    assert stream.put(batch("one", "two")) is Put.SENT
    assert stream.put(batch("three")) is Put.SENT
    assert client.streams == {STREAM: ["one", "two", "three"]}
    assert client.calls == ["create_log_stream", "put_log_events", "put_log_events"]


def test_a_stream_that_is_there_already_is_used() -> None:
    client = FakeLogs(GROUP)
    client.streams[STREAM] = ["before"]
    assert stream_of(client).put(batch("one")) is Put.SENT
    assert client.streams == {STREAM: ["before", "one"]}


def test_a_missing_group_is_made() -> None:
    client = FakeLogs()
    assert stream_of(client).put(batch("one")) is Put.SENT
    assert client.groups == {GROUP}
    assert client.streams == {STREAM: ["one"]}


def test_a_group_that_someone_else_makes_at_the_same_moment_is_fine() -> None:
    client = FakeLogs(GROUP)
    client.fail["create_log_stream"] = [MISSING]
    client.fail["create_log_group"] = [refusal("ResourceAlreadyExistsException")]
    assert stream_of(client).put(batch("one")) is Put.SENT


def test_a_missing_group_that_may_not_be_made_turns_the_stream_off_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = FakeLogs()
    client.fail["create_log_group"] = [DENIED]
    stream = stream_of(client)
    with caplog.at_level(logging.WARNING):
        assert stream.put(batch("one")) is Put.OFF
        assert stream.put(batch("one")) is Put.OFF
    (message,) = caplog.messages
    assert message.startswith("logs.off ")
    assert "give the instance role `logs:CreateLogGroup` on /runs-fleet/agent" in message
    assert client.calls == ["create_log_stream", "create_log_group"]


def test_a_stream_that_is_deleted_under_our_hands_is_made_again() -> None:
    client = FakeLogs(GROUP)
    stream = stream_of(client)
    stream.put(batch("one"))
    client.streams.clear()
    assert stream.put(batch("two")) is Put.SENT
    assert client.streams == {STREAM: ["two"]}


@pytest.mark.parametrize("operation", ["create_log_stream", "put_log_events"])
def test_an_outage_means_later_and_is_warned_of_once(
    operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeLogs(GROUP)
    client.fail[operation] = [THROTTLED, refusal("ServiceUnavailableException", 503)]
    stream = stream_of(client)
    with caplog.at_level(logging.WARNING):
        assert [stream.put(batch("one")) for _ in range(3)] == [Put.LATER, Put.LATER, Put.SENT]
    assert [message.split()[0] for message in caplog.messages] == ["logs.delayed"]
    assert client.streams == {STREAM: ["one"]}


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_refusal_turns_the_stream_off(code: str) -> None:
    client = FakeLogs(GROUP)
    client.fail["put_log_events"] = [refusal(code)]
    stream = stream_of(client)
    assert stream.put(batch("one")) is Put.OFF
    assert stream.off


def test_a_batch_that_is_never_taken_does_not_hold_up_the_next_one() -> None:
    client = FakeLogs(GROUP)
    client.fail["put_log_events"] = [refusal("InvalidParameterException")]
    stream = stream_of(client)
    assert stream.put(batch("one")) is Put.REFUSED
    assert stream.put(batch("two")) is Put.SENT


@pytest.mark.parametrize(
    ("info", "count"),
    [
        ({"tooOldLogEventEndIndex": 1}, 1),
        ({"tooNewLogEventStartIndex": 2}, 1),
        ({"expiredLogEventEndIndex": 1, "tooNewLogEventStartIndex": 1}, 3),
    ],
    ids=["old", "new", "both"],
)
def test_events_that_cloudwatch_throws_away_are_counted_and_warned_of(
    info: dict[str, int], count: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeLogs(GROUP)
    client.rejected = info
    stream = stream_of(client)
    with caplog.at_level(logging.WARNING):
        assert stream.put(batch("one", "two", "three")) is Put.SENT
    assert stream.rejected_events == count
    assert caplog.messages[0].startswith("logs.rejected ")
