"""The end as the pipeline brings it about: logs, final message, files, terminate call. What fails here is left to the hook."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from agent.deadline import Deadline
from agent.events import warning
from agent.stages.context import RunContext
from agent.stages.end import LEAST_SECONDS, Budget, budget, find_addressee
from agent.stages.notify import give_up
from agent.stages.ship_logs import ship_logs
from agent.stages.stop_runner import stop_runner
from flows.beside import Beside
from tasks.calling import Call
from tasks.clean_up import clean_up
from tasks.notify import notify
from tasks.terminate import terminate

log = logging.getLogger(__name__)


async def end_instance(run: RunContext, beside: Beside, call: Call) -> None:
    """Pays in the contract's order, all of it within the finish timeout; the last seconds are the hook's."""
    await _guarded("stop_runner", asyncio.to_thread(stop_runner, run))
    limits = budget(run)
    await _guarded("beside", beside.settle())
    await _guarded("ship_logs", asyncio.to_thread(ship_logs, run, deadline=limits.logs()))
    await _tell_the_end(run, limits, call)
    await _guarded(
        "clean_up", _within(limits.clean_up().later(1.0), call(clean_up, run, limits.clean_up()))
    )
    await _guarded("terminate", _within(limits.whole.later(-LEAST_SECONDS), call(terminate, run)))


async def _tell_the_end(run: RunContext, limits: Budget, call: Call) -> None:
    await _guarded("addressee", asyncio.to_thread(find_addressee, run, limits.message()))
    try:
        await _within(limits.message(), call(notify, run, "final"))
    except Exception as exc:  # noqa: BLE001 - the instance ends all the same
        give_up(run, exc)


async def _within(deadline: Deadline, step: Awaitable[Any]) -> None:
    async with asyncio.timeout(deadline.remaining()):
        await step


async def _guarded(name: str, step: Awaitable[Any]) -> None:
    try:
        await step
    except Exception as exc:  # noqa: BLE001 - the next step must come
        warning(log, "end.step_failed", step=name, error=exc)
