"""A central Prefect server, as a company has one beside its fleet."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from agent.clock import SystemClock
from agent.deadline import Deadline
from flows.api.process import answers
from flows.prefect_environment import settle


class CentralPrefect:
    """A real Prefect server beside the agent, with a database of its own. A context manager."""

    def __init__(self, home: Path) -> None:
        """Starts nothing yet; the database in `home` is migrated already."""
        self._home = home
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/api"

    def __enter__(self) -> Self:
        environment = {**os.environ, "PREFECT_HOME": str(self._home), "PREFECT_UI_ENABLED": "0"}
        settle(environment, self._home.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.api.serve", str(self._port)], env=environment
        )
        clock = SystemClock()
        deadline = Deadline.after(clock, 60)
        while not answers(self.url):
            assert self._process.poll() is None
            assert not deadline.expired
            clock.wait(threading.Event(), 0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Without a word, as when its machine is lost."""
        self._process.kill()
        self._process.wait()
