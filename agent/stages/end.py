"""The end, from the journal alone: finishes what is owed, in the contract's order, whatever else has died."""

import logging
import threading
import traceback
from collections.abc import Callable

from agent.deadline import Deadline
from agent.errors import AgentError
from agent.events import event, warning
from agent.journal.facts import RunnerGone
from agent.journal.progress import Owed
from agent.outcome import Status
from agent.runner.process import ProcessIdentity, attach
from agent.stages.clean_up import clean_up
from agent.stages.context import RunContext
from agent.stages.notify import give_up, notify
from agent.stages.record import outcome_of, record_outcome
from agent.stages.ship_logs import ship_logs
from agent.stages.terminate import last_resort, terminate

log = logging.getLogger(__name__)

LOGS_SHARE = 0.35
"""How much of the finish timeout the logs may take; the rest is for the message, the files and the terminate call."""
CLEAN_UP_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0


def finish(run: RunContext) -> bool:
    """Pays everything that the run still owes; true when the instance is being ended. Never raises.

    Takes at most the finish timeout, and what a last call to AWS takes to fail (under 30 s).
    """
    owed = run.progress.owed()
    if not owed:
        return True
    event(log, "end.owed", what=",".join(owed))
    record_outcome(run, outcome_of(run.progress))
    deadline = finish_deadline(run)
    for debt in owed:
        try:
            _PAY[debt](run, deadline)
        except Exception:  # noqa: BLE001 - whatever one step does, the next ones must come
            log.error("end.step_failed step=%s %s", debt, traceback.format_exc())  # noqa: TRY400
    return run.progress.terminated is not None


def finish_deadline(run: RunContext) -> Deadline:
    """The bound on everything between the job's end and the terminate call."""
    return Deadline.after(run.clock, run.settings.finish_timeout_seconds)


def logs_deadline(run: RunContext, deadline: Deadline) -> Deadline:
    return deadline.at_most(run.settings.finish_timeout_seconds * LOGS_SHARE)


def stop_runner(run: RunContext) -> None:
    """Kills whatever of the runner is left, where the stage that started it did not see to that."""
    started = run.progress.runner_started
    if started is not None and run.progress.runner_gone is None:
        killed = attach(
            ProcessIdentity(started.pid, started.start_ticks),
            runner_dir=run.settings.runner_dir,
            clock=run.clock,
        ).kill_everything()
        run.journal.add(RunnerGone(run.journal.now()))
        event(log, "runner.gone", killed=killed)


def _ship_logs(run: RunContext, deadline: Deadline) -> None:
    run.follow_runner_log(run.spool.config)
    run.follow_runner_log(run.spool.run)
    run.follow_diag()
    ship_logs(run, deadline=logs_deadline(run, deadline))


def _final_message(run: RunContext, deadline: Deadline) -> None:
    limit = deadline.at_most(run.settings.notify_timeout_seconds)
    try:
        _until(run, limit, lambda: notify(run, Status.FAILURE))
    except AgentError as exc:
        give_up(run, exc)


def _clean_up(run: RunContext, deadline: Deadline) -> None:
    clean_up(run, deadline=deadline.at_most(CLEAN_UP_SECONDS))


def _terminate(run: RunContext, deadline: Deadline) -> None:
    try:
        _until(run, deadline, lambda: terminate(run))
    except AgentError as exc:
        last_resort(run, exc)


def _until(run: RunContext, deadline: Deadline, step: Callable[[], object]) -> None:
    """Tries the step until it works, fails for good, or the deadline is over; the first try is always made."""
    pause = FIRST_PAUSE_SECONDS
    nobody = threading.Event()
    while True:
        try:
            step()
        except AgentError as exc:
            if not exc.transient or deadline.expired:
                raise
            warning(log, "end.tried_again", error=exc)
        else:
            return
        run.clock.wait(nobody, min(pause, deadline.remaining()))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


_PAY: dict[Owed, Callable[[RunContext, Deadline], None]] = {
    Owed.STOP_RUNNER: lambda run, _deadline: stop_runner(run),
    Owed.SHIP_LOGS: _ship_logs,
    Owed.FINAL_MESSAGE: _final_message,
    Owed.CLEAN_UP: _clean_up,
    Owed.TERMINATE: _terminate,
}
