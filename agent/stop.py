"""One stop for everything that runs beside the job: the first request decides, later ones change nothing."""

import threading
from dataclasses import dataclass

from agent.outcome import Reason


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Why the job is to be stopped."""

    reason: Reason
    detail: str
    """One line for a person: which signal, how many MB were free, until when the spot instance lives."""
    taken_at: float | None = None
    """When the machine will be taken away (spot notice), on the monotonic clock; None when nobody takes it."""


class Stop:
    """Set once, from any thread or signal handler; waited for by everything that waits."""

    def __init__(self) -> None:
        self.event = threading.Event()
        # Re-entrant: a signal handler may ask while the main thread is inside `ask`.
        self._lock = threading.RLock()
        self._request: StopRequest | None = None
        self._linked: list[threading.Event] = []

    def ask(self, request: StopRequest) -> bool:
        """Asks for the stop; true when this request was the first."""
        with self._lock:
            first = self._request is None
            if first:
                self._request = request
            self.event.set()
            for event in self._linked:
                event.set()
        return first

    def linked(self) -> threading.Event:
        """An event of one stage's own: set by this stop too, but setting it stops only that stage."""
        event = threading.Event()
        with self._lock:
            self._linked.append(event)
            if self.event.is_set():
                event.set()
        return event

    def unlink(self, event: threading.Event) -> None:
        """Forgets an event made by `linked`."""
        with self._lock:
            self._linked.remove(event)

    @property
    def request(self) -> StopRequest | None:
        return self._request

    @property
    def asked(self) -> bool:
        return self.event.is_set()
