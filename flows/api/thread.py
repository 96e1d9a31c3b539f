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


class ApiThread:
    """A uvicorn server with its own event loop. Stop signals stay the main thread's."""

    def __init__(self, listener: socket.socket, app: App) -> None:
        """Serves on the socket once started."""
        self._listener = listener
        self._server = uvicorn.Server(
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
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)

    def _serve(self) -> None:
        try:
            # uvicorn ends the process when its app cannot start.
            with contextlib.suppress(SystemExit):
                asyncio.run(self._server.serve([self._listener]))
        except Exception as exc:  # noqa: BLE001 - the flow goes on without its record
            warning(log, "prefect.server_died", error=exc)
