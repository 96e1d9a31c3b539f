"""`python -m flows`: the flow process, as the guardian starts it."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType

from agent import __version__
from agent.deadline import Deadline
from agent.errors import SettingsError
from agent.events import event, warning
from agent.guardian.pulse import Heart
from agent.guardian.supervise import PLAIN
from agent.logs import agent_log
from agent.settings import Settings
from agent.stages.close_off import ClosedOff
from agent.stages.context import RunContext
from agent.stages.end import finish
from agent.stages.prefetch import Prefetch
from agent.stages.record import outcome_of, outcome_of_error, record_outcome
from flows import prefect_environment
from flows.current import milestones, this_run
from flows.imports import undisturbed
from flows.prefect_environment import Api
from flows.signals import stop_on_signals

log = logging.getLogger("flows")  # this module is `__main__` when it runs

THREADS = 16
"""Stages, background work, and threads that were abandoned by a time-out."""
SETTINGS_EXIT = 2
BEAT_SECONDS = 2.0
LAST_LINES_SECONDS = 1.0
"""For the agent's lines after the terminate call; nothing waits for them any more."""


def main(arguments: Sequence[str]) -> int:
    """Runs the flow, or with `--plain` its pipeline alone; whatever it left owed is paid before this returns an exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        prefect_environment.settle(os.environ, settings.state_dir)
        plain = PLAIN in arguments
        api = (
            None
            if plain
            else prefect_environment.find_api(os.environ, stock=settings.stock_prefect)
        )
        run = this_run()
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return SETTINGS_EXIT
    heart = Heart.of(list(arguments))
    _listen(run)
    if run.is_new and not plain:
        run.prefetch = Prefetch.begun(run)
    own = api.own if api is not None else None
    run.closed_off = ClosedOff(run, (own.port,) if own is not None else ())
    if api is not None and api.left_out:
        warning(log, "prefect.server_unreachable", url=api.left_out, mend="going on without it")
    _say_began(run)
    again = False
    try:
        asyncio.run(_run(run, heart, api))
    except BaseException as exc:  # noqa: BLE001 - also KeyboardInterrupt and SystemExit end the instance
        again = _another_life_may_help(run, plain=plain)
        if again:
            warning(log, "flow.not_begun", error=repr(exc), mend="the guardian starts it again")
        else:
            record_outcome(run, outcome_of_error(run, exc))
    finally:
        if run.prefetch is not None:
            run.prefetch.end()
        if not again:
            finish(run)
        _tell(run, heart)
        if api is not None and api.own is not None:
            api.own.stop()
        # What EC2 answered, and whatever else was said since the terminate call.
        run.shipper.flush(Deadline.after(run.clock, LAST_LINES_SECONDS), final=True)
        run.shipper.stop()
    return outcome_of(run.progress).exit_status


def _another_life_may_help(run: RunContext, *, plain: bool) -> bool:
    """Whether it failed before its pipeline began, for want of memory perhaps: a runner at work is not to be stopped for that.

    The guardian starts it again, the last time with `--plain`: that life decides.
    """
    return not (
        plain
        or milestones().begun.is_set()
        or run.stop.asked
        or run.progress.ended is not None
        or run.progress.terminated is not None
    )


def _say_began(run: RunContext) -> None:
    began = run.progress.began
    event(
        log,
        "run.began" if run.is_new else "run.taken_up_again",
        instance_id=run.instance_id,
        region=run.region,
        agent_version=__version__,
        boot_seconds=began.boot_seconds if began else None,
    )


async def _run(run: RunContext, heart: Heart, api: Api | None) -> None:
    stop_on_signals(run.stop)
    beating = asyncio.ensure_future(_beat(run, heart))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    # In a thread: the loop goes on to hear signals, and to beat.
    try:
        orchestration = await asyncio.to_thread(_load, api)
    finally:
        # Its imports would stand in the way of Prefect's.
        run.shipper.start()
    # Prefect's own set-up, made while it is imported, takes all handlers off the root logger.
    prefect_environment.take_console_away()
    _listen(run)
    if api is None or not await orchestration.through_prefect(run, api):
        await orchestration.without_prefect(run)
    _tell(run, heart)
    beating.cancel()


def _load(api: Api | None) -> ModuleType:
    """Everything of Prefect: the server's part first, because a part of it must be left out before the client asks for it."""
    with undisturbed():
        if api is not None and api.own is not None:
            api.own.load()
        return import_module("flows.orchestration")


async def _beat(run: RunContext, heart: Heart) -> None:
    """Shows the guardian that the event loop turns, and when the instance is being ended."""
    while True:
        heart.beat()
        _tell(run, heart)
        await asyncio.sleep(BEAT_SECONDS)


def _tell(run: RunContext, heart: Heart) -> None:
    if run.progress.terminated is not None:
        heart.instance_ended(outcome_of(run.progress).exit_status)


def _listen(run: RunContext) -> None:
    agent_log.configure(run.spool.agent, redactor=run.redactor, console=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
