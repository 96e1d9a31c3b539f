from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.logs.batch import (
    CONTINUED,
    EVENT_OVERHEAD_BYTES,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_MESSAGE_BYTES,
    MAX_SPAN_MS,
    Event,
    Timestamps,
    events,
    next_batch,
)

FILE = Path("run.log")
NOW = datetime(2026, 11, 23, 7, 42, 20, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def all_batches(pending: Iterable[Event]) -> list[tuple[Event, ...]]:
    left, batches = list(pending), []
    while left:
        batch = next_batch(left)
        batches.append(batch)
        left = left[len(batch) :]
    return batches


def line(text: str, timestamp_ms: int = NOW_MS) -> list[Event]:
    return list(events(timestamp_ms, text, FILE, 7))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
lines = st.tuples(
    st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 1, 1, 1000, 40_000])),
    st.integers(NOW_MS - 2 * MAX_SPAN_MS, NOW_MS),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(lines, max_size=40))
def test_batches_are_inside_the_limits_and_lose_nothing(said: list[tuple[str, int]]) -> None:
    pending = [each for text, moment in said for each in line(text, moment)]
    batches = all_batches(pending)
    assert [event for batch in batches for event in batch] == pending
    for batch in batches:
        sizes = [len(event.message.encode()) + EVENT_OVERHEAD_BYTES for event in batch]
        moments = [event.timestamp_ms for event in batch]
        assert sum(sizes) <= MAX_BATCH_BYTES
        assert max(sizes) <= MAX_MESSAGE_BYTES + EVENT_OVERHEAD_BYTES
        assert 1 <= len(batch) <= MAX_BATCH_EVENTS
        assert moments == sorted(moments)
        assert moments[-1] - moments[0] < MAX_SPAN_MS
        assert all(event.message for event in batch)


@settings(max_examples=100, deadline=None)
@given(texts, st.sampled_from([1, 1000, 30_000]))
def test_a_long_line_is_cut_in_pieces_that_make_the_line_again(text: str, times: int) -> None:
    pieces = line(text * times)
    first, *others = [piece.message for piece in pieces]
    assert all(message.startswith(CONTINUED) for message in others)
    whole = first + "".join(message.removeprefix(CONTINUED) for message in others)
    assert whole == (text * times or " ")
    assert [piece.end_offset for piece in pieces] == [None] * (len(pieces) - 1) + [7]


def test_more_events_than_a_call_takes_make_a_second_batch() -> None:
    batches = all_batches(line("x") * (MAX_BATCH_EVENTS + 1))
    assert [len(batch) for batch in batches] == [MAX_BATCH_EVENTS, 1]


def test_a_batch_is_filled_to_the_last_byte() -> None:
    fits = "x" * (MAX_BATCH_BYTES // 8 - EVENT_OVERHEAD_BYTES)
    assert [len(batch) for batch in all_batches(line(fits) * 9)] == [8, 1]


def test_an_empty_line_becomes_a_space_because_cloudwatch_refuses_empty_messages() -> None:
    assert [event.message for event in line("")] == [" "]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23 07:42:18Z: Listening for Jobs",
        "[2026-11-23 07:42:18Z INFO JobDispatcher] Job request 1",
        "2026-11-23T07:42:18.000Z INFO agent runner.started",
        "2026-11-23T07:42:18.0009999Z ##[group]Run make",
        "\ufeff2026-11-23T07:42:18.0000000Z the first line of a page",
    ],
)
def test_a_line_that_names_its_moment_gets_it(text: str) -> None:
    assert Timestamps().of(text, NOW) == NOW_MS - 2000


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "2026-13-45 07:42:18Z: no such day",
        "2020-01-01 00:00:00Z: years ago",
        "2026-11-23 09:42:18Z: not yet",
        "at 2026-11-23 07:42:18Z",
    ],
)
def test_a_line_without_a_plausible_moment_gets_the_present_one(text: str) -> None:
    assert Timestamps().of(text, NOW) == NOW_MS


def test_lines_get_the_milliseconds_that_they_name() -> None:
    texts = [f"2026-11-23T07:42:18.{number:03}4567Z" for number in (1, 20, 999)]
    moments = Timestamps().of_each([*texts, "plain"], NOW)
    assert list(moments) == [NOW_MS - 1999, NOW_MS - 1980, NOW_MS - 1001, NOW_MS]


def test_no_line_is_earlier_than_the_one_before_it() -> None:
    timestamps = Timestamps()
    assert timestamps.of("plain", NOW) == NOW_MS
    assert timestamps.of("2026-11-23 07:42:18Z: late", NOW) == NOW_MS
    assert timestamps.of("plain", NOW - timedelta(seconds=5)) == NOW_MS


def test_a_wall_clock_that_is_set_back_by_hours_is_believed() -> None:
    timestamps = Timestamps()
    timestamps.of("plain", NOW)
    assert timestamps.of("plain", NOW - timedelta(hours=3)) == NOW_MS - 3 * 3600 * 1000


@given(st.text())
def test_any_line_has_a_moment(text: str) -> None:
    assert Timestamps().of(text, NOW) <= NOW_MS
