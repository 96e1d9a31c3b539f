"""The API of our own: in a thread where the installed Prefect can be served so, else by Prefect's own command."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import MutableMapping
from pathlib import Path

import certifi

from agent.events import warning
from flows.api import database, slim
from flows.api.process import ApiServer
from flows.api.thread import ApiThread

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.005
DRAIN_SECONDS = 2.0


class OwnApi:
    """An address at once, and a server behind it soon."""

    def __init__(self, environment: MutableMapping[str, str], *, stock: bool) -> None:
        """Takes a port, and sets the address, and who may use it, in the environment.

        Args:
            environment: of this process; Prefect reads it while it is imported.
            stock: serve it by Prefect's own command, in a process that starts now.

        Raises:
            OSError: there is no port to be had.
        """
        self._environment = environment
        self._listener = socket.create_server(("127.0.0.1", 0))
        # The prefetch is a fork: with it the port would stay taken when the API is served by another process after all.
        os.register_at_fork(after_in_child=self._listener.close)
        self.port: int = self._listener.getsockname()[1]
        self._home = Path(environment["PREFECT_HOME"])
        self._auth = f"agent:{secrets.token_urlsafe(16)}"
        self._server: ApiThread | ApiServer | None = None
        self._failed = False
        self.url = f"http://127.0.0.1:{self.port}/api"
        environment["PREFECT_API_URL"] = self.url
        # The job shares the loopback with us.
        environment["PREFECT_API_AUTH_STRING"] = self._auth
        environment["PREFECT_SERVER_API_AUTH_STRING"] = self._auth
        # Prefect's clients read some authorities each time they are made, and there is no TLS on the loopback: one is enough.
        environment.setdefault("PREFECT_API_SSL_CERT_FILE", str(_one_authority(self._home)))
        self._migrate = database.prepare(self._home)
        if not self._migrate:
            environment.setdefault("PREFECT_SERVER_DATABASE_MIGRATE_ON_START", "false")
        if stock or not slim.fits():
            self._start_process()

    def load(self) -> None:
        """Imports the app and serves it; takes a second of a core, and must run before Prefect is imported by anything else."""
        if self._server is not None or self._failed:
            return
        try:
            app = slim.build(self._auth, migrate=self._migrate)
            self._server = ApiThread(self._listener, app)
            self._server.start()
        except Exception as exc:  # noqa: BLE001 - whatever is new in this Prefect, its own command knows better
            warning(log, "prefect.served_the_stock_way", error=exc)
            self._start_process()

    def _start_process(self) -> None:
        """On the same port: the address is known already."""
        self._listener.close()
        self._server = ApiServer.start(self._environment, self.port)
        self._failed = self._server is None

    def alive(self) -> bool:
        return not self._failed and (self._server is None or self._server.alive())

    async def ready(self, seconds: float) -> bool:
        """True once it takes requests; false when it died, or did not come up in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.alive():
                    if self._server is not None and await asyncio.to_thread(self._server.serving):
                        return True
                    await asyncio.sleep(LOOK_SECONDS)
        return False

    def stop(self) -> None:
        """Ends it, once it has been told all that happened: a client with something left to tell hangs at its exit."""
        worker = sys.modules.get("prefect.events.worker")
        if worker is not None and self.alive():
            worker.EventsWorker.drain_all(timeout=DRAIN_SECONDS)
        if self._server is not None:
            self._server.stop()
        self._listener.close()

    def threaded(self) -> bool:
        """Whether it is served in this process."""
        return isinstance(self._server, ApiThread)


def _one_authority(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    written = home / "one-authority.pem"
    whole, end, _ = certifi.contents().partition("-----END CERTIFICATE-----\n")
    written.write_text(whole + end)
    return written
