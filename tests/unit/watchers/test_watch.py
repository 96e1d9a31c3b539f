import threading
from collections.abc import Callable

import pytest

from agent.clock import SystemClock
from agent.outcome import Reason
from agent.stop import Stop, StopRequest
from agent.watchers.watch import Watch

from .conftest import ManualClock

FULL = StopRequest(Reason.DISK_FULL, "412 MB free")
LATE = StopRequest(Reason.MAX_RUNTIME, "360 minutes")


class Scripted:
    """Notes when it is asked and answers as told."""

    def __init__(
        self, answer: Callable[[], StopRequest | None], now: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.answer = answer
        self.now = now
        self.asked: list[float] = []
        self.asked_once = threading.Event()

    def check(self) -> StopRequest | None:
        self.asked.append(self.now())
        self.asked_once.set()
        return self.answer()


def fails() -> StopRequest | None:
    raise RuntimeError("no such probe")


def test_each_watcher_is_asked_in_its_own_rhythm(clock: ManualClock) -> None:
    often = Scripted(lambda: None, clock.monotonic)
    seldom = Scripted(lambda: None, clock.monotonic)
    watch = Watch([(often, 5.0), (seldom, 30.0)], stop=Stop(), clock=clock)
    while clock.seconds <= 1060.0:
        clock.advance(seconds=watch.tick())
    assert [at - 1000 for at in seldom.asked] == [0, 30, 60]
    assert [at - 1000 for at in often.asked] == [float(at) for at in range(0, 61, 5)]


def test_the_first_verdict_decides_and_the_others_go_on(clock: ManualClock) -> None:
    stop = Stop()
    later = Scripted(lambda: LATE)
    watch = Watch([(Scripted(lambda: FULL), 1.0), (later, 1.0)], stop=stop, clock=clock)
    for _ in range(3):
        clock.advance(seconds=watch.tick())
    assert stop.request == FULL
    assert len(later.asked) == 3


def test_a_broken_watcher_is_told_once_and_does_not_end_the_others(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = Scripted(lambda: None)
    watch = Watch([(Scripted(fails), 1.0), (healthy, 1.0)], stop=Stop(), clock=clock)
    for _ in range(3):
        clock.advance(seconds=watch.tick())
    assert len(healthy.asked) == 3
    assert [message.split()[0] for message in caplog.messages] == ["watch.failed"]
    assert "no such probe" in caplog.messages[0]


def test_the_thread_asks_at_once_and_ends_when_told() -> None:
    stop = Stop()
    watcher = Scripted(lambda: FULL)
    with Watch([(watcher, 3600.0)], stop=stop, clock=SystemClock()) as watch:
        assert stop.event.wait(10)
        names = [thread.name for thread in threading.enumerate()]
        assert "watchers" in names
    assert "watchers" not in [thread.name for thread in threading.enumerate()]
    watch.stop()


def test_a_watch_without_watchers_waits_in_peace(clock: ManualClock) -> None:
    assert Watch([], stop=Stop(), clock=clock).tick() > 0


def test_a_watch_that_was_never_started_may_be_stopped(clock: ManualClock) -> None:
    Watch([], stop=Stop(), clock=clock).stop()


def test_an_interval_must_be_positive(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="positive"):
        Watch([(Scripted(lambda: None), 0.0)], stop=Stop(), clock=clock)
