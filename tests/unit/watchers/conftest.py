"""A clock that moves only when it is told to."""

import threading
from datetime import UTC, datetime, timedelta

import pytest


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self.start = datetime(2026, 11, 23, 7, 42, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds - 1000.0)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.seconds += max(0.0, seconds)
        return event.is_set()

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.seconds += minutes * 60 + seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
