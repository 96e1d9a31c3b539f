"""The pipeline through Prefect as long as Prefect helps, and without it when its API is not to be had.

A run needs nothing of the API to do its work: it only reports to it. So an API that does not answer costs a run its record and a
few seconds, never its job.
"""

import asyncio
import logging
from typing import Any

from agent.events import warning
from agent.stages.context import RunContext
from agent.stages.end import finish
from flows.current import milestones
from flows.pipeline import take_through
from flows.run_job import run_job
from flows.signals import stop_on_signals
from tasks.calling import plainly

log = logging.getLogger(__name__)

SETTLE_SECONDS = 3.0
"""For Prefect to note how the flow ended, once the instance is being ended; the guardian then ends what hangs."""


async def through_prefect(run: RunContext, begin_seconds: float) -> bool:
    """Runs the flow; false when Prefect could not begin it in time, or failed in the midst of it, so that it is not over."""
    signs = milestones()
    engine: asyncio.Future[Any] = asyncio.ensure_future(run_job(return_state=True))
    await _first(engine, signs.begun, begin_seconds)
    if not signs.begun.is_set():
        why = _failure(engine) or f"it did not begin within {begin_seconds:g} s"
        signs.given_up.set()
        warning(log, "prefect.given_up", why=why, mend="the pipeline runs without it")
        engine.cancel()
        return False
    await _first(engine, signs.over, None)
    if not signs.over.is_set():
        signs.given_up.set()
        warning(log, "prefect.failed", why=_failure(engine), mend="the pipeline goes on without it")
        return False
    await asyncio.to_thread(finish, run)
    await asyncio.wait({engine}, timeout=SETTLE_SECONDS)
    return True


async def without_prefect(run: RunContext) -> None:
    """The same pipeline over the same tasks, with nobody to report to."""
    stop_on_signals(run.stop)
    await take_through(run, plainly)


async def _first(engine: "asyncio.Future[Any]", sign: asyncio.Event, seconds: float | None) -> None:
    """Waits for the sign, the engine's end, or the seconds, whichever is first."""
    waiting = asyncio.ensure_future(sign.wait())
    await asyncio.wait({engine, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _failure(engine: "asyncio.Future[Any]") -> str:
    if not engine.done() or engine.cancelled():
        return ""
    error = engine.exception()
    return f"{type(error).__name__}: {error}" if error else ""
