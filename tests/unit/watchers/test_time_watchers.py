from agent.outcome import Reason
from agent.watchers.idle import IdleWatcher
from agent.watchers.runtime import RuntimeWatcher

from .conftest import ManualClock


def test_a_job_may_run_as_long_as_it_may_and_not_longer(clock: ManualClock) -> None:
    watcher = RuntimeWatcher(clock, 360)
    clock.advance(minutes=359, seconds=59)
    assert watcher.check() is None
    clock.advance(seconds=1)
    verdict = watcher.check()
    assert verdict is not None
    assert (verdict.reason, verdict.detail) == (
        Reason.MAX_RUNTIME,
        "the runner ran longer than 360 minutes (RUNS_FLEET_MAX_RUNTIME_MINUTES)",
    )


def test_a_runner_that_is_picked_up_again_gets_no_new_time(clock: ManualClock) -> None:
    watcher = RuntimeWatcher(clock, 1, already_seconds=50)
    clock.advance(seconds=9)
    assert watcher.check() is None
    clock.advance(seconds=1)
    assert watcher.check() is not None


def test_a_listener_without_a_job_is_stopped_after_the_wait(clock: ManualClock) -> None:
    watcher = IdleWatcher(clock, 10)
    clock.advance(minutes=9)
    watcher.listening()
    clock.advance(minutes=9)
    watcher.listening()
    assert watcher.check() is None
    clock.advance(minutes=1)
    verdict = watcher.check()
    assert verdict is not None
    assert verdict.reason is Reason.NO_JOB
    assert (
        verdict.detail
        == "the runner listened, but got no job within 10 minutes (RUNS_FLEET_JOB_WAIT_MINUTES)"
    )


def test_a_runner_that_never_listens_is_stopped_too_and_told_apart(clock: ManualClock) -> None:
    watcher = IdleWatcher(clock, 0.5)
    clock.advance(seconds=30)
    verdict = watcher.check()
    assert verdict is not None
    assert verdict.reason is Reason.RUNNER_NEVER_LISTENED
    assert (
        verdict.detail
        == "the runner never began to listen within 0.5 minutes (RUNS_FLEET_JOB_WAIT_MINUTES)"
    )


def test_an_idle_runner_that_is_picked_up_again_gets_no_new_wait(clock: ManualClock) -> None:
    watcher = IdleWatcher(clock, 1, already_seconds=50)
    watcher.listening()
    clock.advance(seconds=10)
    verdict = watcher.check()
    assert verdict is not None
    assert verdict.reason is Reason.NO_JOB


def test_a_job_ends_the_wait_for_good(clock: ManualClock) -> None:
    watcher = IdleWatcher(clock, 10)
    watcher.job_started()
    clock.advance(minutes=1000)
    assert watcher.check() is None
