"""What runs beside the job: telling that it started, deleting the parameters, filling the cache."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from agent.events import warning
from agent.stages.context import RunContext
from agent.stages.download import StagedRunner
from agent.stages.note_instance import note_instance
from flows.quiet import quiet
from tasks.calling import Call
from tasks.download import fill_cache
from tasks.fetch_config import delete_parameters
from tasks.notify import notify

log = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 10.0
QUIET_SECONDS = 10.0
"""After the start of `run.sh`, until what has time is done although there is no job yet."""
LAST_CHANCE_SECONDS = 5.0
"""For what is still under way when the job is over."""


class Beside:
    """Background work of one flow run: it never fails the job and never outlives it by more than a few seconds."""

    def __init__(self, run: RunContext, call: Call) -> None:
        """Nothing runs yet."""
        self._run = run
        self._call = call
        self._under_way: set[asyncio.Task[None]] = set()
        self._dispensable: set[asyncio.Task[None]] = set()

    def fill_cache(self, staged: StagedRunner) -> None:
        """Puts a fresh download into the cache, where there is one."""
        if staged.archive is not None:
            self._begin(self._guarded(self._call(fill_cache, self._run, staged)))

    def once_started(self) -> Callable[[], None]:
        """What `execute` calls, from its thread, when the runner has been told to run."""
        loop = asyncio.get_running_loop()

        def started() -> None:
            loop.call_soon_threadsafe(self._started)

        return started

    async def settle(self) -> None:
        """Gives what is under way a last chance, then ends it."""
        for task in self._dispensable:
            task.cancel()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=LAST_CHANCE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _started(self) -> None:
        self._begin(self._guarded(self._tell_started()))
        self._begin(self._guarded(self._call(delete_parameters, self._run)))
        self._dispensable.add(asyncio.ensure_future(self._guarded(self._note_instance())))

    async def _note_instance(self) -> None:
        await quiet(self._run, QUIET_SECONDS)
        await asyncio.to_thread(note_instance, self._run)

    async def _tell_started(self) -> None:
        """Tries until the message is delivered; `settle` ends it when the job is over first."""
        while True:
            try:
                await self._call(notify, self._run, "started")
            except Exception as exc:  # noqa: BLE001 - an orchestrator that hears nothing ends the instance in 5 minutes
                warning(log, "message.started_not_sent", error=exc)
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            else:
                return

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - best effort, each says so in the log
            warning(log, "beside.failed", error=exc)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._under_way.add(asyncio.ensure_future(work))
