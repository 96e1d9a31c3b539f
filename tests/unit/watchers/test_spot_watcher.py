from datetime import timedelta

import pytest

from agent.outcome import Reason
from agent.watchers.spot import SpotNotice, SpotWatcher

from .conftest import ManualClock


def test_a_notice_stops_the_job_and_tells_how_long_the_machine_lives(clock: ManualClock) -> None:
    notice = SpotNotice("terminate", clock.utc() + timedelta(seconds=118))
    verdict = SpotWatcher(lambda: notice, clock=clock).check()
    assert verdict is not None
    assert verdict.reason is Reason.SPOT_NOTICE
    assert verdict.detail == "EC2 will terminate this spot instance at 2026-11-23T07:43:58Z"
    assert verdict.taken_at == clock.monotonic() + 118


def test_a_notice_for_the_past_leaves_no_time(clock: ManualClock) -> None:
    notice = SpotNotice("stop", clock.utc() - timedelta(seconds=5))
    verdict = SpotWatcher(lambda: notice, clock=clock).check()
    assert verdict is not None
    assert verdict.taken_at == clock.monotonic()


def test_no_notice_is_no_verdict(clock: ManualClock) -> None:
    assert SpotWatcher(lambda: None, clock=clock).check() is None


def test_a_rebalance_recommendation_is_told_once_and_not_acted_on(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = SpotWatcher(lambda: None, clock=clock, rebalance=clock.utc)
    assert watcher.check() is None
    assert watcher.check() is None
    assert caplog.messages == ["spot.rebalance_recommended at=2026-11-23T07:42:00Z"]
    assert watcher.rebalance_seen


def test_a_rebalance_recommendation_stops_the_job_only_where_that_is_asked_for(
    clock: ManualClock,
) -> None:
    def asked(*, stop_on_rebalance: bool) -> SpotWatcher:
        return SpotWatcher(
            lambda: None,
            clock=clock,
            rebalance=clock.utc,
            stop_on_rebalance=stop_on_rebalance,
        )

    assert asked(stop_on_rebalance=False).check() is None
    verdict = asked(stop_on_rebalance=True).check()
    assert verdict is not None
    assert verdict.reason is Reason.REBALANCE
