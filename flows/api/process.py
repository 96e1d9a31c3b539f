"""Prefect's stock API server, as the flow's own child on loopback: what Prefect calls ephemeral mode, started at second zero.

Prefect would start the same command itself, but only after it has imported the server's modules into the flow too, in a loop that
holds up every signal, and without noticing that it died.
"""

import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus

HEALTH_SECONDS = 2.0
STOP_SECONDS = 2.0
_SERVER = {
    "PREFECT_UI_ENABLED": "0",
    # As Prefect's own launcher of an ephemeral server sets them.
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


class ApiServer:
    """The server process; its database is in PREFECT_HOME."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        """Takes over a process that was just started."""
        self._process = process
        self.url = f"http://127.0.0.1:{port}/api"

    @classmethod
    def start(cls, environment: Mapping[str, str], port: int) -> "ApiServer | None":
        """Starts it on the port; None where it cannot be started. The guardian ends it with the flow's process group."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.api.serve", str(port)],
                env={**environment, **_SERVER},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        return cls(process, port)

    def alive(self) -> bool:
        return self._process.poll() is None

    def serving(self) -> bool:
        """Whether it answers."""
        return answers(self.url)

    def stop(self) -> None:
        """Asks it to end, and waits for two seconds at most."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)


def answers(url: str) -> bool:
    """Whether the API at the address says that it is well."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=HEALTH_SECONDS) as answer:  # noqa: S310 - the settings accept http and https only
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, ValueError, urllib.error.URLError):
        return False
