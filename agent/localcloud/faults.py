"""Faults to order: error answers, slow answers, none at all, and a socket that never answers."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from agent.clock import Clock, SystemClock

ANY = "*"
"""As an operation: every one of the service."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call.

    Attributes:
        status: HTTP status of the answer; None when the real answer goes through, only later.
        code: the AWS error code, or the message of GitHub's error.
        delay_seconds: time before anything happens.
        hangs: true when the connection is closed without an answer after the delay.
        takes_effect: true when the call is carried out and only its answer is lost.
        released: set when the delay is over before its time.
    """

    service: str
    operation: str
    status: int | None = None
    code: str = ""
    delay_seconds: float = 0.0
    hangs: bool = False
    takes_effect: bool = False
    released: threading.Event = field(default_factory=threading.Event)


class Faults:
    """The faults in force, oldest first; each call uses up one of the first that fits. Thread-safe.

    `service` is the name in the AWS signature (`s3`, `ssm`, `sqs`, `logs`, `ec2`), `github` or
    `imds`; `operation` is the API's own name (`PutLogEvents`), for IMDS the path after `latest/`,
    or `*`. `times` None means for ever.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._rules: list[tuple[Fault, int | None]] = []

    def fail(
        self,
        service: str,
        operation: str,
        *,
        times: int | None = None,
        status: int,
        code: str,
        delay_seconds: float = 0.0,
        takes_effect: bool = False,
    ) -> None:
        """Answers with an error of the service's own shape."""
        self._add(
            times,
            Fault(
                service,
                operation,
                status=status,
                code=code,
                delay_seconds=delay_seconds,
                takes_effect=takes_effect,
            ),
        )

    def hang(
        self,
        service: str,
        operation: str,
        *,
        seconds: float = 30.0,
        times: int | None = None,
        takes_effect: bool = False,
    ) -> None:
        """Says nothing for `seconds`, then hangs up; `clear` hangs up at once."""
        self._add(
            times,
            Fault(service, operation, delay_seconds=seconds, hangs=True, takes_effect=takes_effect),
        )

    def slow(
        self, service: str, operation: str, *, seconds: float, times: int | None = None
    ) -> None:
        """Answers as it should, `seconds` later."""
        self._add(times, Fault(service, operation, delay_seconds=seconds, takes_effect=True))

    def clear(self) -> None:
        """Drops every fault and lets go of the calls that wait in one."""
        with self._lock:
            rules, self._rules = self._rules, []
        for fault, _ in rules:
            fault.released.set()

    def take(self, service: str, operation: str) -> Fault | None:
        """The fault of this call, used up by it."""
        with self._lock:
            for index, (fault, left) in enumerate(self._rules):
                if fault.service == service and fault.operation in (operation, ANY) and left != 0:
                    self._rules[index] = (fault, None if left is None else left - 1)
                    return fault
        return None

    def endure(self, fault: Fault) -> None:
        """Sits out the delay.

        Raises:
            ConnectionAbortedError: the fault is a hang, so the server hangs up now.
        """
        self._clock.wait(fault.released, fault.delay_seconds)
        if fault.hangs:
            raise ConnectionAbortedError("a fault to order")

    def _add(self, times: int | None, fault: Fault) -> None:
        with self._lock:
            self._rules.append((fault, times))


class BlackHole:
    """A loopback port that takes connections and never says a word. A context manager.

    The kernel accepts up to its backlog of 64; what a client writes stays in its buffers.
    """

    def __init__(self) -> None:
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        return self

    def __exit__(self, *exc: object) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.closing(listener):
                pass

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; a RuntimeError outside the `with` block."""
        if self._listener is None:
            raise RuntimeError("the black hole is not open")
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"
