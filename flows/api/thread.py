"""Prefect's API in a thread of the flow's process: what both need is imported once, and there is no process to lose."""

import asyncio
import contextlib
import logging
import socket
import threading

import uvicorn

from agent.events import warning
from flows.api.slim import App

log = logging.getLogger(__name__)

STOP_SECONDS = 2.0
TICK_SECONDS = 15.0
"""Between two answers' dates."""


class _Server(uvicorn.Server):
    """Waits for its end instead of looking for it ten times a second, as uvicorn does: a job may run for six hours."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), TICK_SECONDS)

    def end(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)


class ApiThread:
    """A uvicorn server with its own event loop. Stop signals stay the main thread's."""

    def __init__(self, listener: socket.socket, app: App) -> None:
        """Serves on the socket once started."""
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1
            )
        )
        self._thread = threading.Thread(target=self._serve, name="prefect-api", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def serving(self) -> bool:
        """Whether it takes requests."""
        return self._server.started and self.alive()

    def stop(self) -> None:
        """Lets it finish what it is at, for two seconds at most: its database takes no harm from more haste."""
        self._server.end()
        self._thread.join(STOP_SECONDS)

    def _serve(self) -> None:
        try:
            # uvicorn ends the process when its app cannot start.
            with contextlib.suppress(SystemExit):
                asyncio.run(self._server.serve([self._listener]))
        except Exception as exc:  # noqa: BLE001 - the flow goes on without its record
            warning(log, "prefect.server_died", error=exc)
