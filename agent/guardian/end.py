"""`runs-fleet-agent end`: finishes what the journal says is still owed, then terminates. Any number of times."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.errors import SettingsError
from agent.events import event
from agent.guardian.limits import Limits
from agent.guardian.lock import holders, lock
from agent.logs import agent_log
from agent.outcome import Outcome, Reason
from agent.settings import Settings
from agent.stages.context import RunContext, open_run
from agent.stages.end import finish
from agent.stages.record import record_outcome
from agent.stop import StopRequest

log = logging.getLogger(__name__)

_OUR_NAMES = (b"runs-fleet-agent", b"agent\0run", b"flows")


def end(environment: Mapping[str, str], *, after_flow: bool, stopped_by: str | None = None) -> int:
    """Ends the instance; 0 when it is being ended, 1 when not.

    An agent that is still at work on this state directory is asked to stop first, and ends the instance itself.

    Args:
        environment: the agent's environment; an unusable setting counts as not set here.
        after_flow: true for the guardian, whose flow is dead and who holds the lock.
        stopped_by: the signal that ended the run, where there was one.
    """
    settings, wrong = _settings(environment)
    if after_flow:
        _ignore_signals()
        return _end(environment, settings, wrong, stopped_by)
    _ask_the_agent_to_stop(settings.state_dir, Limits.of(environment).stop)
    with lock(settings.state_dir) as held:
        if held is None:
            sys.stderr.write(
                f"runs-fleet-agent: the agent at work on {settings.state_dir} did not stop when asked to;"
                " see `runs-fleet-agent status`, and call `end` again\n"
            )
            return 1
        _ignore_signals()
        return _end(environment, settings, wrong, stopped_by)


def _ignore_signals() -> None:
    """It is the end already, and bounded: a signal, or another `end`, would only cut it short."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _settings(environment: Mapping[str, str]) -> tuple[Settings, SettingsError | None]:
    try:
        return Settings.from_environment(environment), None
    except SettingsError as exc:
        return Settings.usable_part(environment), exc


def _end(
    environment: Mapping[str, str],
    settings: Settings,
    wrong: SettingsError | None,
    stopped_by: str | None,
) -> int:
    try:
        run = open_run(environment, settings)
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return 1
    agent_log.configure(run.spool.agent, redactor=run.redactor, console=sys.stderr)
    run.shipper.start()
    _explain(run, wrong, stopped_by)
    done = finish(run)
    run.shipper.stop()
    event(log, "end.done", ended=done)
    return 0 if done else 1


def _explain(run: RunContext, wrong: SettingsError | None, stopped_by: str | None) -> None:
    """What is known of why, where the flow left no outcome."""
    if wrong is not None:
        record_outcome(run, Outcome(Reason.SETTINGS_INVALID, wrong.what, wrong.mend, exit_code=-1))
    elif stopped_by:
        run.stop.ask(StopRequest(Reason.STOP_SIGNAL, f"the agent received {stopped_by}"))
    elif run.is_new:
        detail = "`runs-fleet-agent end` was called before any run"
        run.stop.ask(StopRequest(Reason.STOP_SIGNAL, detail))


def _ask_the_agent_to_stop(state_dir: Path, seconds: float) -> None:
    """SIGTERM to the agent that holds the lock, then waits until it let go, at most the seconds."""
    clock = SystemClock()
    deadline = Deadline.after(clock, seconds)
    asked = False
    while not deadline.expired:
        with lock(state_dir) as held:
            if held is not None:
                return
        asked = asked or any(_ask(pid) for pid in holders(state_dir))
        clock.wait(threading.Event(), 0.1)


def _ask(pid: int) -> bool:
    """False where there is no such agent any more; a pid that has come round to somebody else is left alone."""
    try:
        if not any(name in Path(f"/proc/{pid}/cmdline").read_bytes() for name in _OUR_NAMES):
            return False
        os.kill(pid, signal.SIGTERM)
    except OSError:
        return False
    return True
