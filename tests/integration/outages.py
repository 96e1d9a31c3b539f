"""What the tests of outages need beside the play: the times of the agent's events, and central Prefect servers that fail."""

import json
import os
import re
import select
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from agent.demo.play import Play
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ALL_OF_AWS = ("ssm", "sqs", "logs", "ec2", "s3")
UNTIL_IT_IS_OVER = 600.0


def black_hole(play: Play, *services: str) -> None:
    """Nothing that the agent asks of them is answered any more, to the end of the play."""
    for service in services:
        play.cloud.faults.hang(service, "*", seconds=UNTIL_IT_IS_OVER)


def moment(line: str) -> datetime:
    """When the agent wrote a line of its log."""
    return datetime.fromisoformat(line.split(" ", 1)[0])


def seconds(play: Play, earlier: str, later: str) -> float:
    """Between the first lines of the agent's that hold the words."""
    span = moment(play.wait_for(later)) - moment(play.wait_for(earlier))
    return span.total_seconds()


class Exit:
    """The moment in which the agent's process ended, whoever asks for its status."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._at = datetime.min.replace(tzinfo=UTC)

    def watch(self, play: Play) -> None:
        """Returns when the agent has ended; called while it runs."""
        descriptor = os.pidfd_open(play.process.pid)
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(UNTIL_IT_IS_OVER * 1000)
            self._at = datetime.now(UTC)
            self._over.set()
        finally:
            os.close(descriptor)

    def seconds_after(self, line: str) -> float:
        assert self._over.wait(10)
        return (self._at - moment(line)).total_seconds()


def message_in(lines: Iterable[str]) -> dict[str, Any]:
    """The one final message that stands in a log because nobody would take it."""
    (line,) = [line for line in lines if "message.not_sent" in line]
    found = re.search(r'message=("(?:[^"\\]|\\.)*")', line)
    assert found, line
    message: dict[str, Any] = json.loads(json.loads(found[1]))
    return message


class HangingPrefect:
    """A central server that says that it is well and never answers anything else. A context manager."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._over = threading.Event()
        self._server = HttpServer(self, name="hanging-prefect")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.stop()

    @property
    def url(self) -> str:
        return f"{self._server.url}/api"

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        if path != "/api/health":
            self._over.wait(UNTIL_IT_IS_OVER)
            raise ConnectionAbortedError
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"true"]
