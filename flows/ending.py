"""The end as the flow brings it about: logs, final message, files, terminate call. What fails here is left to the hook."""

import asyncio
import logging
from collections.abc import Awaitable

from agent.deadline import Deadline
from agent.events import warning
from agent.stages.context import RunContext
from agent.stages.end import CLEAN_UP_SECONDS, finish_deadline, logs_deadline, stop_runner
from agent.stages.notify import give_up
from agent.stages.ship_logs import ship_logs
from flows.beside import Beside
from tasks.clean_up import clean_up
from tasks.notify import notify
from tasks.terminate import terminate

log = logging.getLogger(__name__)


async def end_instance(run: RunContext, beside: Beside) -> None:
    """Pays in the contract's order, all of it within the finish timeout."""
    deadline = finish_deadline(run)
    await _guarded("stop_runner", asyncio.to_thread(stop_runner, run))
    await _guarded("beside", beside.settle())
    logs = logs_deadline(run, deadline)
    await _guarded("ship_logs", asyncio.to_thread(ship_logs, run, deadline=logs))
    await _tell_the_end(run, deadline)
    await _guarded("clean_up", clean_up(run, deadline.at_most(CLEAN_UP_SECONDS)))
    await _guarded("terminate", _within(deadline, terminate(run)))


async def _tell_the_end(run: RunContext, deadline: Deadline) -> None:
    limit = deadline.at_most(run.settings.notify_timeout_seconds)
    try:
        await _within(limit, notify(run, "final"))
    except Exception as exc:  # noqa: BLE001 - the instance ends all the same
        give_up(run, exc)


async def _within(deadline: Deadline, step: Awaitable[object]) -> None:
    async with asyncio.timeout(deadline.remaining()):
        await step


async def _guarded(name: str, step: Awaitable[object]) -> None:
    try:
        await step
    except Exception as exc:  # noqa: BLE001 - the next step must come
        warning(log, "end.step_failed", step=name, error=exc)
