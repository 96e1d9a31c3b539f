"""`python -m flows`: the flow process, as the guardian starts it."""

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from agent.errors import SettingsError
from agent.events import event, warning
from agent.logs import agent_log
from agent.settings import Settings
from agent.stages.context import RunContext
from agent.stages.end import finish
from agent.stages.record import outcome_of, outcome_of_error, record_outcome
from flows import prefect_environment
from flows.current import this_run
from flows.signals import stop_on_signals

log = logging.getLogger("flows")  # this module is `__main__` when it runs

THREADS = 16
"""Stages, background work, and threads that were abandoned by a time-out."""
SETTINGS_EXIT = 2


def main() -> int:
    """Runs the flow; whatever it left owed is paid before this returns an exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        unreachable = prefect_environment.settle(os.environ, settings.state_dir)
        run = this_run()
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return SETTINGS_EXIT
    _listen(run)
    if unreachable:
        warning(log, "prefect.server_unreachable", url=unreachable, mend="going on without it")
    run.shipper.start()
    event(log, "run.began", instance_id=run.instance_id, region=run.region)
    try:
        asyncio.run(_run(run))
    except BaseException as exc:  # noqa: BLE001 - also KeyboardInterrupt and SystemExit end the instance
        record_outcome(run, outcome_of_error(run, exc))
    finally:
        finish(run)
        run.shipper.stop()
    return outcome_of(run.progress).exit_status


async def _run(run: RunContext) -> None:
    stop_on_signals(run.stop)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    from flows.run_job import run_job

    # Prefect's own set-up, made while it is imported, takes all handlers off the root logger.
    prefect_environment.take_console_away()
    _listen(run)
    await run_job(return_state=True)


def _listen(run: RunContext) -> None:
    agent_log.configure(run.spool.agent, redactor=run.redactor, console=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
