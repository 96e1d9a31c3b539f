"""The end, from the journal alone: finishes what is owed, in the contract's order, whatever else has died."""

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from agent.bounded import within
from agent.deadline import Deadline
from agent.errors import AgentError
from agent.events import event, warning
from agent.journal.progress import Owed
from agent.outcome import Outcome, Reason, Status
from agent.stages.clean_up import clean_up
from agent.stages.context import RunContext
from agent.stages.fetch_config import fetch_config
from agent.stages.follow import Following, conclude
from agent.stages.notify import give_up, notify
from agent.stages.record import outcome_of, record_outcome
from agent.stages.ship_logs import ship_logs
from agent.stages.stop_runner import stop_runner
from agent.stages.terminate import last_resort, terminate

log = logging.getLogger(__name__)

T = TypeVar("T")

LOGS_SHARE = 0.35
"""How much of the finish timeout the logs may take; the rest is for the message, the files and the terminate call."""
TERMINATE_SHARE = 0.25
"""How much of it is kept for the terminate call, whatever the others take."""
CLEAN_UP_SECONDS = 30.0
CONFIG_SECONDS = 4.0
"""For a look at the runner config, where nobody has read it."""
SPOT_MARGIN_SECONDS = 15.0
"""The end is over so long before EC2 takes the machine."""
LEAST_SECONDS = 5.0
"""For whoever comes when the time is over: the terminate call is tried all the same."""
TRY_SECONDS = 10.0
"""One try of a message or of the terminate call."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Until when each step of the end may take; what one leaves, the next ones have."""

    run: RunContext
    whole: Deadline
    """The bound on everything between the job's end and the terminate call."""

    def logs(self) -> Deadline:
        return self._before_terminate(self.run.settings.finish_timeout_seconds * LOGS_SHARE)

    def message(self) -> Deadline:
        return self._before_terminate(self.run.settings.notify_timeout_seconds)

    def clean_up(self) -> Deadline:
        return self._before_terminate(CLEAN_UP_SECONDS)

    def _before_terminate(self, seconds: float) -> Deadline:
        kept = self.run.settings.finish_timeout_seconds * TERMINATE_SHARE
        at = min(self.whole.at_most(seconds).at, self.whole.at - kept)
        return Deadline(self.run.clock, at)


def budget(run: RunContext) -> Budget:
    """Counts from the outcome on, over everyone who has a hand in the end, also after a crash; a spot notice shortens it."""
    ended = run.progress.ended
    now = run.clock.monotonic()
    until = (ended.monotonic if ended else now) + run.settings.finish_timeout_seconds
    asked = run.progress.stop_asked
    if asked is not None and asked.taken_at is not None:
        until = min(until, asked.taken_at - SPOT_MARGIN_SECONDS)
    return Budget(run, Deadline(run.clock, max(until, now + LEAST_SECONDS)))


def finish(run: RunContext) -> bool:
    """Pays everything that the run still owes; true when the instance is being ended. Never raises.

    A runner that is still at work is stopped first, within its grace period. From the outcome on it takes at most the finish
    timeout, and the power-off command where it comes to that.
    """
    owed = run.progress.owed()
    if not owed:
        return True
    event(log, "end.owed", what=",".join(owed))
    _carefully(stop_runner, run)
    _carefully(_conclude, run)
    limits = budget(run)
    for debt in owed:
        if debt in _PAY:
            _carefully(_PAY[debt], limits)
    return run.progress.terminated is not None


def _carefully(step: Callable[[T], object], argument: T) -> None:
    try:
        step(argument)
    except Exception:  # noqa: BLE001 - whatever one step does, the next ones must come
        name = getattr(step, "__name__", "?")
        log.error("end.step_failed step=%s %s", name, traceback.format_exc())  # noqa: TRY400


def _conclude(run: RunContext) -> None:
    """What became of the run: where nobody has said so yet, the runner's own words do."""
    if run.progress.ended is not None:
        return
    request = run.stop.request
    outcome = outcome_of(run.progress)
    if run.progress.runner_started is not None:
        by_words = conclude(run, Following.of(run), None)
        if request is not None or by_words.reason is Reason.JOB_SERVED:
            outcome = by_words
        else:
            outcome = replace(outcome, job_result=by_words.job_result, job_name=by_words.job_name)
    elif request is not None:
        outcome = Outcome(request.reason, request.detail, exit_code=-1)
    record_outcome(run, outcome)


def find_addressee(run: RunContext, deadline: Deadline) -> None:
    """Looks once at the runner config, where nobody has read it: who waits for a message of this instance only stands there."""
    if run.progress.config is None:
        limit = deadline.at_most(CONFIG_SECONDS)
        with suppress(AgentError):
            within(
                limit, lambda: fetch_config(run, deadline=limit, once=True), what="ssm:GetParameter"
            )


def _ship_logs(limits: Budget) -> None:
    run = limits.run
    run.follow_runner_log(run.spool.config)
    run.follow_runner_log(run.spool.run)
    run.follow_diag()
    ship_logs(run, deadline=limits.logs())


def _final_message(limits: Budget) -> None:
    run = limits.run
    find_addressee(run, limits.message())
    try:
        _until(limits.message(), lambda: notify(run, Status.FAILURE), what="sqs:SendMessage")
    except Exception as exc:  # noqa: BLE001 - it goes into the log then
        give_up(run, exc)


def _clean_up(limits: Budget) -> None:
    deadline = limits.clean_up()
    within(
        deadline.later(1.0),
        lambda: clean_up(limits.run, deadline=deadline),
        what="removing the runner",
    )


def _terminate(limits: Budget) -> None:
    run = limits.run
    try:
        _until(limits.whole, lambda: terminate(run), what="ec2:TerminateInstances")
    except Exception as exc:  # noqa: BLE001 - whatever it was, the instance must not go on
        last_resort(run, exc)


def _until(deadline: Deadline, step: Callable[[], object], *, what: str) -> None:
    """Tries the step until it works, fails for good, or the deadline is over; the first try is always made."""
    pause = FIRST_PAUSE_SECONDS
    nobody = threading.Event()
    while True:
        try:
            within(_one_try(deadline), step, what=what)
        except AgentError as exc:
            if not exc.transient or deadline.expired:
                raise
            warning(log, "end.tried_again", error=exc)
        else:
            return
        deadline.clock.wait(nobody, min(pause, deadline.remaining()))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _one_try(deadline: Deadline) -> Deadline:
    """As long as there is time, but long enough that a try without trouble can succeed."""
    return Deadline.after(deadline.clock, min(TRY_SECONDS, max(1.0, deadline.remaining())))


_PAY: dict[Owed, Callable[[Budget], None]] = {
    Owed.SHIP_LOGS: _ship_logs,
    Owed.FINAL_MESSAGE: _final_message,
    Owed.CLEAN_UP: _clean_up,
    Owed.TERMINATE: _terminate,
}
"""The runner itself, `Owed.STOP_RUNNER`, is stopped before there is an outcome, and before this time begins to run."""
