"""Two ways to run the same tasks: through Prefect's engine, and without it where the engine cannot be had.

The decorators say once what a task's retries, pauses and time limit are; both ways keep to them.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

from prefect import Task

from agent.errors import over_its_limit
from agent.events import warning
from tasks.policy import may_pass, when_transient

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class Call(Protocol):
    """How a pipeline runs a task."""

    async def __call__(
        self, task: Task[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> R: ...


async def orchestrated(
    task: Task[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Through Prefect's engine, inside a flow run: a task run with its states. Raises `TimeoutError` as `plainly` does."""
    try:
        return await task(*args, **kwargs)
    except TimeoutError as exc:
        raise over_its_limit(task.name, task.timeout_seconds or 0) from exc


async def plainly(task: Task[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Without the engine: nothing is recorded and no API is needed; retries, pauses and time limit are the decorator's.

    Raises:
        TimeoutError: it was over its time limit, also at its last try; the text names task and limit.
    """
    for attempt in range(task.retries + 1):
        try:
            async with asyncio.timeout(task.timeout_seconds):
                return await task.fn(*args, **kwargs)
        except Exception as exc:
            if attempt == task.retries or not (may_pass(exc) or _always_retried(task)):
                if isinstance(exc, TimeoutError):
                    raise over_its_limit(task.name, task.timeout_seconds or 0) from exc
                raise
            warning(log, "task.tried_again", task=task.name, error=exc)
        await asyncio.sleep(_pause_seconds(task, attempt))
    raise AssertionError("a task has at least one try")


def _always_retried(task: Task[Any, Any]) -> bool:
    condition: Any = task.retry_condition_fn
    return condition is not when_transient


def _pause_seconds(task: Task[Any, Any], attempt: int) -> float:
    given: Any = task.retry_delay_seconds
    delay = given[min(attempt, len(given) - 1)] if isinstance(given, list) else given
    jitter = task.retry_jitter_factor or 0.0
    return float(delay or 0) * (1 + random.uniform(0, jitter))  # noqa: S311 - no secret
