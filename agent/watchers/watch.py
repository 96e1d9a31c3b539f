"""The loop beside the job: asks each watcher in its own rhythm; the first verdict stops the job."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from agent.clock import Clock
from agent.events import warning
from agent.stop import Stop, StopRequest

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """One rule."""

    def check(self) -> StopRequest | None:
        """Takes one reading; a request when the job is to be stopped. Must not block for long: all watchers share a thread."""


@dataclass(slots=True)
class _Turn:
    watcher: Watcher
    every_seconds: float
    due: float
    complained: bool = False


class Watch:
    """Runs watchers in one thread until `stop()`; they go on after a verdict, for the figures that they collect."""

    def __init__(
        self, watchers: Sequence[tuple[Watcher, float]], *, stop: Stop, clock: Clock
    ) -> None:
        """Takes each watcher with the seconds between two of its checks; nothing runs before `start`.

        Raises:
            ValueError: for an interval that is not positive.
        """
        if any(seconds <= 0 for _, seconds in watchers):
            raise ValueError("an interval must be positive")
        self._stop = stop
        self._clock = clock
        now = clock.monotonic()
        self._turns = [_Turn(watcher, seconds, due=now) for watcher, seconds in watchers]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchers", daemon=True)

    def start(self) -> None:
        """Starts the thread; each watcher is asked at once."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Ends the thread, waiting at most the seconds for a check that is at work. Safe to call twice."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tick(self) -> float:
        """Asks the watchers whose time has come; returns the seconds until the next one's."""
        for turn in self._turns:
            if turn.due <= self._clock.monotonic():
                self._ask(turn)
                turn.due = self._clock.monotonic() + turn.every_seconds
        nearest = min((turn.due for turn in self._turns), default=self._clock.monotonic() + 3600)
        return max(0.0, nearest - self._clock.monotonic())

    def _run(self) -> None:
        while not self._clock.wait(self._over, self.tick()):
            pass

    def _ask(self, turn: _Turn) -> None:
        name = type(turn.watcher).__name__
        try:
            verdict = turn.watcher.check()
        except Exception as exc:  # noqa: BLE001 - one broken watcher must not end the others
            if not turn.complained:
                warning(log, "watch.failed", watcher=name, error=f"{type(exc).__name__}: {exc}")
            turn.complained = True
            return
        if verdict is not None and self._stop.ask(verdict):
            warning(log, "watch.stop", watcher=name, reason=verdict.reason, detail=verdict.detail)
