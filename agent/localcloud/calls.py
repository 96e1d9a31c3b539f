"""What was asked of a stand-in, in order, and a way to wait for it."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from werkzeug.wrappers import Response

from agent.clock import Clock, SystemClock
from agent.localcloud.faults import Fault, Faults

BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call.

    Attributes:
        service: as in `Faults`.
        operation: as in `Faults`.
        monotonic: when it came in; only differences mean something.
        status: what the client saw; 0 when it saw no answer.
        carried_out: true when it took effect, whatever the client saw.
        instance_ids: the EC2 instances that it names.
    """

    service: str
    operation: str
    monotonic: float = 0.0
    status: int = 0
    carried_out: bool = False
    instance_ids: tuple[str, ...] = ()


class CallRecord:
    """Every call of one stand-in. Thread-safe."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._arrived: Counter[tuple[str, str]] = Counter()
        self._calls: list[Call] = []

    def arrive(self, service: str, operation: str) -> float:
        """Notes that a call came in, before it is answered; returns when."""
        with self._changed:
            self._arrived[service, operation] += 1
            self._changed.notify_all()
            return self._clock.monotonic()

    def answer(self, call: Call) -> None:
        """Notes what became of it."""
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    def all(self) -> list[Call]:
        """The answered calls, in the order in which they came in."""
        with self._changed:
            return sorted(self._calls, key=lambda call: call.monotonic)

    def wait_for(
        self, service: str, operation: str, *, times: int = 1, seconds: float = 10.0
    ) -> bool:
        """True once the operation was asked for `times` times, answered or not; false after `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._arrived[service, operation] >= times, timeout=seconds
            )


def attend(
    call: Call,
    *,
    faults: Faults,
    record: CallRecord,
    serve: Callable[[], Response],
    fail: Callable[[Fault], Response],
) -> Response:
    """Answers one call as its fault, if any, has it, and notes it in the record.

    Args:
        call: service, operation and instances; the rest is filled in here.
        faults: what is in force.
        record: where it is noted.
        serve: carries the call out.
        fail: the error of a fault.

    Raises:
        ConnectionAbortedError: the fault is a hang, so the server is to hang up.
    """
    came = record.arrive(call.service, call.operation)
    served: Response | None = None
    seen = 0
    try:
        fault = faults.take(call.service, call.operation)
        if fault is None:
            answer = served = serve()
        else:
            served = serve() if fault.takes_effect else None
            faults.endure(fault)
            answer = fail(fault) if served is None or fault.status is not None else served
        seen = answer.status_code
        return answer
    finally:
        carried_out = served is not None and served.status_code < BAD_REQUEST
        record.answer(replace(call, monotonic=came, status=seen, carried_out=carried_out))
