"""An AWS-compatible server outside the test's process, as LocalStack is one."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import boto3
import httpx

from agent.clock import SystemClock
from agent.deadline import Deadline


class OutsideAws:
    """A `moto_server` on loopback. A context manager."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        program = Path(sys.executable).with_name("moto_server")
        self._process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(self._port)],
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        clock = SystemClock()
        deadline = Deadline.after(clock, 60)
        while not self._answers():
            assert self._process.poll() is None
            assert not deadline.expired
            clock.wait(threading.Event(), 0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def client(self, service: str) -> Any:
        session = boto3.session.Session("test", "test", region_name="eu-central-1")
        return session.client(service, endpoint_url=self.url)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/", trust_env=False).is_success
        except httpx.HTTPError:
            return False
