"""Runners that go on for ever, on a clock that moves only when told to."""

import threading
from datetime import UTC, datetime

from agent.outcome import JobResult, Reason
from agent.runner.hangs import Hangs, Limits
from agent.runner.result import Conversation

LIMITS = Limits()
ASSIGNED = Conversation(job_id="0c3f")
ANNOUNCED = Conversation(job_id="0c3f", job_name="build")
OVER = Conversation(job_id="0c3f", job_name="build", diag_result=JobResult.FAILED)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return event.is_set()


class Runner:
    """A conversation that stands still, while the time goes on."""

    def __init__(self, *, worker: bool = True) -> None:
        self.clock = Clock()
        self.worker = worker
        self.looks = 0
        self.hangs = Hangs(self.clock, self._has_worker, LIMITS)

    def _has_worker(self) -> bool:
        self.looks += 1
        return self.worker

    def reason_after(self, seconds: float, said: Conversation) -> Reason | None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += 1.0
            hang = self.hangs.check(said)
            if hang is not None:
                return hang.reason
        return None


def test_a_job_that_was_assigned_must_be_begun() -> None:
    runner = Runner()
    assert runner.reason_after(LIMITS.begin - 1, ASSIGNED) is None
    assert runner.reason_after(3, ASSIGNED) is Reason.JOB_NEVER_STARTED


def test_a_job_at_work_may_take_its_time() -> None:
    runner = Runner()
    assert runner.reason_after(20_000, ANNOUNCED) is None
    assert runner.looks <= 20_000 / LIMITS.look


def test_a_job_without_a_worker_is_lost() -> None:
    runner = Runner(worker=False)
    assert runner.reason_after(LIMITS.worker - 1, ANNOUNCED) is None
    assert runner.reason_after(LIMITS.look + 3, ANNOUNCED) is Reason.RUNNER_LOST


def test_a_worker_that_comes_late_is_no_lost_one() -> None:
    runner = Runner(worker=False)
    assert runner.reason_after(LIMITS.worker / 2, ANNOUNCED) is None
    runner.worker = True
    assert runner.reason_after(LIMITS.look + 1, ANNOUNCED) is None
    runner.worker = False
    assert runner.reason_after(LIMITS.worker - 1, ANNOUNCED) is None


def test_a_runner_whose_job_is_over_must_exit() -> None:
    runner = Runner(worker=False)
    assert runner.reason_after(LIMITS.exit - 1, OVER) is None
    assert runner.reason_after(3, OVER) is Reason.RUNNER_HUNG


def test_an_idle_runner_does_not_hang() -> None:
    assert Runner(worker=False).reason_after(20_000, Conversation(listening_at="now")) is None
