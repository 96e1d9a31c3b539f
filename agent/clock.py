"""Time as an argument, so that tests need neither patches nor sleeps."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the agent asks of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean something."""

    def utc(self) -> datetime:
        """The wall clock, aware, in UTC. It may jump; never subtract two of these."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until the event is set or the seconds are over; true when it is set."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, whole seconds: what Go's `time.Time` parses.

    Raises:
        ValueError: for a naive datetime, whose zone nobody can know.
    """
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in a message")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_millis(moment: datetime) -> str:
    """As `rfc3339`, with milliseconds: for the journal, where stages are told apart."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
