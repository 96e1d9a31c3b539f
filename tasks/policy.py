"""When a task is tried again, and how a stage runs beside the event loop."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from agent.errors import AgentError
from agent.stages.context import RunContext

R = TypeVar("R")

JITTER = 0.5
"""By how much of itself Prefect varies a delay, so that a fleet does not retry in step."""


async def when_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Another try only for an error that says it may pass; a refusal, a bad config or a wrong digest is final."""
    try:
        await state.aresult(raise_on_failure=True)
    except Exception as exc:  # noqa: BLE001 - it is looked at, whatever it is
        return may_pass(exc)
    return False


def may_pass(error: Exception) -> bool:
    """Whether another try may help; after a time-out or a fault of our own it does no harm."""
    return error.transient if isinstance(error, AgentError) else True


async def in_thread(run: RunContext, call: Callable[[], R]) -> R:
    """Runs a short, bounded stage in a thread. What it raises goes into Prefect's database: no secret is in it."""
    try:
        return await asyncio.to_thread(call)
    except Exception as exc:
        _mask(exc, run)
        raise


async def stoppable(run: RunContext, call: Callable[[threading.Event], R]) -> R:
    """Runs a stage as `in_thread`, with a stop event of its own that a time-out or a cancellation sets.

    A thread cannot be killed: the stage looks at the event, and none of its calls is without a limit.
    """
    stop = run.stop.linked()
    try:
        return await in_thread(run, partial(call, stop))
    except asyncio.CancelledError:
        stop.set()
        raise
    finally:
        run.stop.unlink(stop)


def _mask(error: BaseException, run: RunContext) -> None:
    mask = run.redactor.mask
    error.args = tuple(mask(arg) if isinstance(arg, str) else arg for arg in error.args)
    if isinstance(error, AgentError):
        error.what, error.mend = mask(error.what), mask(error.mend)
