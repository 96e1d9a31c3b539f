"""A Prefect server as a developer starts one, and Prefect's own command line against it."""

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

ROOT = Path(__file__).parents[3]
PREFECT = Path(sys.executable).with_name("prefect")


class StockPrefect:
    """`prefect server start` on loopback. A context manager."""

    def __init__(self, home: Path) -> None:
        """Starts nothing yet; the database in `home` is migrated already."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/api"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> Self:
        words = ("server", "start", "--host", "127.0.0.1", "--port", str(self._port), "--no-ui")
        self._process = subprocess.Popen(
            [PREFECT, *words], env=self.environment, stdout=subprocess.DEVNULL
        )
        clock = SystemClock()
        deadline = Deadline.after(clock, 100)
        while not answers(self.url):
            assert self._process.poll() is None
            assert not deadline.expired
            clock.wait(threading.Event(), 0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def cli(self, *words: str, seconds: float = 120) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            [PREFECT, "--no-prompt", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
