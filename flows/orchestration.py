"""The pipeline through Prefect as long as Prefect helps, and without it when its API is not to be had.

A run needs nothing of the API to do its work: it only reports to it. So an API that does not answer costs a run its record and a
few seconds, never its job.
"""

import asyncio
import logging
from typing import Any

from agent.deadline import Deadline
from agent.events import warning
from agent.stages.context import RunContext
from agent.stages.end import finish
from flows.current import milestones
from flows.pipeline import take_through
from flows.prefect_environment import Api
from flows.run_job import run_job
from flows.signals import stop_on_signals
from tasks.calling import plainly

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""Between two looks at the API server, until the flow has begun."""
SETTLE_SECONDS = 3.0
"""For Prefect to note how the flow ended, once the instance is being ended; the guardian then ends what hangs."""


async def through_prefect(run: RunContext, api: Api) -> bool:
    """Runs the flow; false when Prefect could not begin it in time, or failed in the midst of it, so that it is not over."""
    signs = milestones()
    if not await api.ready():
        return _given_up("its API server did not come up")
    engine: asyncio.Future[Any] = asyncio.ensure_future(run_job(return_state=True))
    deadline = Deadline.after(run.clock, api.begin_seconds)
    while not (engine.done() or signs.begun.is_set() or api.lost() or deadline.expired):
        await _first(engine, signs.begun, LOOK_SECONDS)
    if not signs.begun.is_set():
        engine.cancel()
        lost = "its API server died" if api.lost() else f"it did not begin within {api.begin_seconds:g} s"  # fmt: skip
        return _given_up(_failure(engine) or lost)
    await _first(engine, signs.over, None)
    if not signs.over.is_set():
        return _given_up(_failure(engine))
    await asyncio.to_thread(finish, run)
    await asyncio.wait({engine}, timeout=SETTLE_SECONDS)
    return True


def _given_up(why: str) -> bool:
    milestones().given_up.set()
    warning(log, "prefect.given_up", why=why, mend="the pipeline goes on without it")
    return False


async def without_prefect(run: RunContext) -> None:
    """The same pipeline over the same tasks, with nobody to report to."""
    stop_on_signals(run.stop)
    await take_through(run, plainly)
    # Here, while signals are heard and the guardian sees a beat: what the pipeline left owed may take its time.
    await asyncio.to_thread(finish, run)


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
