"""`prefect server start` on loopback, as a developer has it: a database of its own, no word to anybody outside."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from agent.clock import SystemClock
from agent.deadline import Deadline
from flows.api import database
from flows.api.process import answers

PREFECT = Path(sys.executable).with_name("prefect")
USUAL_PORT = 4200
START_SECONDS = 180.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.2
LOOPBACK = "127.0.0.1"
_QUIET = {
    # Nothing leaves loopback.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The second version of the pages asks a third party for its settings as soon as they are opened, whatever is set here.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "NO_PROXY": LOOPBACK,
}


class NotUp(Exception):
    """The server did not come up; what it said itself stands above."""


class PrefectServer:
    """A server of its own, ended with the block. A context manager.

    Attributes:
        url: of its API.
        ui_url: of its pages.
        environment: for a program that reports to it.
    """

    def __init__(self, home: Path, *, ui: bool = True) -> None:
        """Takes the port that Prefect's documentation names where it is free, else any; starts nothing yet.

        Args:
            home: where its database is, made where there is none.
            ui: whether it has pages.

        Raises:
            NotUp: there is no port.
        """
        self._home = home
        self._ui = ui
        self._port = _free_port(USUAL_PORT if ui else 0)
        self.ui_url = f"http://{LOOPBACK}:{self._port}"
        self.url = f"{self.ui_url}/api"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            # Its pages are copied to where they are served from: not into the virtual environment.
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
            **_QUIET,
        }

    def __enter__(self) -> Self:
        """Waits until it answers.

        Raises:
            NotUp: it ended, or did not answer within its limit.
        """
        database.prepare(self._home)
        words = ("server", "start", "--host", LOOPBACK, "--port", str(self._port))
        # In a session of its own: the Ctrl-C of a terminal is for whoever started it, who ends it last.
        self._process = subprocess.Popen(
            [PREFECT, *words, *(() if self._ui else ("--no-ui",))],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Asks it to end, and kills it when it does not."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        clock, never = SystemClock(), threading.Event()
        deadline = Deadline.after(clock, START_SECONDS)
        while not answers(self.url):
            if self._process.poll() is not None or deadline.expired:
                raise NotUp(f"the Prefect server at {self.url} did not come up; it says above why")
            clock.wait(never, LOOK_SECONDS)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)) as probe:
            return int(probe.getsockname()[1])
    raise NotUp(f"there is no free port on {LOOPBACK}")
