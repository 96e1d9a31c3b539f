"""When there is time for what nobody waits for."""

import asyncio

from agent.stages.context import RunContext

LOOK_SECONDS = 0.5


async def quiet(run: RunContext, seconds: float, over: asyncio.Event | None = None) -> None:
    """Waits until the job runs, or the run is over; at most so long.

    Until then every core is the boot's.

    Args:
        run: the run.
        seconds: how long to wait at most.
        over: ends the wait too.
    """
    over = over or asyncio.Event()
    until = run.clock.monotonic() + seconds
    while not (run.progress.job_seen or run.progress.ended or over.is_set()):
        left = until - run.clock.monotonic()
        if left <= 0:
            return
        await pause(over, min(LOOK_SECONDS, left))


async def pause(over: asyncio.Event, seconds: float) -> None:
    """Waits until the seconds are over, or the event is set."""
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        return
