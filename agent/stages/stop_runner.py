"""One graceful stop in the life of a runner, however many agents and signals ask for it; then nothing of it is left."""

import logging

from agent.events import event, warning
from agent.journal.facts import RunnerGone, StopAsked
from agent.outcome import Reason
from agent.runner.process import ProcessIdentity, RunnerProcess, attach, kill_inside
from agent.runner.user import runner_user
from agent.stages.context import RunContext
from agent.stop import StopRequest

log = logging.getLogger(__name__)

SPOT_RESERVE_SECONDS = 30.0
"""Of a spot notice's two minutes: for logs, message, clean-up and the terminate call."""


def stop_once(run: RunContext, process: RunnerProcess) -> int | None:
    """Asks the runner to stop, unless the journal says that it was asked; waits for what is left of the grace period, then kills.

    Returns:
        `run.sh`'s exit status; None when anything had to be killed, or an earlier life of the agent was its parent.
    """
    asked = run.progress.stop_asked
    if asked is None:
        asked = _ask(run)
        process.ask_to_stop()
    left = asked.grace_seconds - (run.clock.monotonic() - asked.monotonic)
    if not process.settle(max(0.0, left)):
        warning(log, "runner.killed", pid=process.pid, killed=process.kill_everything())
        return None
    exit_code = process.poll()
    event(log, "runner.stopped", exit_code=exit_code)
    return exit_code


def stop_runner(run: RunContext) -> None:
    """Ends whatever of the runner is left, where the stage that started it did not see to that."""
    started = run.progress.runner_started
    if run.progress.runner_gone is not None:
        return
    if started is None:
        if run.progress.placed is not None:
            # A `config.sh` may be at work, or a runner that was started in the moment in which its agent died.
            uid = runner_user(run.settings.runner_user).uid
            kill_inside(run.settings.runner_dir, uid=uid, clock=run.clock)
        return
    identity = ProcessIdentity(started.pid, started.start_ticks)
    process = attach(identity, runner_dir=run.settings.runner_dir, clock=run.clock)
    if process.left():
        stop_once(run, process)
    killed = process.kill_everything()
    run.journal.add(RunnerGone(run.journal.now()))
    event(log, "runner.gone", killed=killed)


def _ask(run: RunContext) -> StopAsked:
    request = run.stop.request
    asked = StopAsked(
        run.journal.now(),
        reason=request.reason if request else Reason.AGENT_CRASHED,
        detail=request.detail if request else "",
        monotonic=run.clock.monotonic(),
        grace_seconds=_grace_seconds(run, request),
        taken_at=request.taken_at if request else None,
    )
    run.journal.add(asked)
    event(
        log,
        "runner.stopping",
        reason=asked.reason,
        grace_seconds=asked.grace_seconds,
        detail=asked.detail or None,
    )
    return asked


def _grace_seconds(run: RunContext, request: StopRequest | None) -> float:
    grace = run.settings.grace_seconds
    if request is None or request.taken_at is None:
        return grace
    left = request.taken_at - run.clock.monotonic()
    return max(0.0, min(grace, left - SPOT_RESERVE_SECONDS))
