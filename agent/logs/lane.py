"""The thread that sends one stream's backlog."""

import logging
import os
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import Clock
from agent.deadline import Deadline
from agent.events import warning
from agent.logs.backlog import Backlog
from agent.logs.cloudwatch import LogStream, Put

log = logging.getLogger(__name__)

# Delays of 0.2, 0.4, 0.8, 1.6, then 2 s, each times 0.5 to 1.
_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 0.2, 2.0
_STOP_SECONDS = 2.0
_NICE = 5
_LOOK_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class Pace:
    """How often a lane looks and sends."""

    flush_seconds: float
    """A line waits at most so long for others to share its batch."""
    poll_seconds: float
    """Between two looks at the files, where nothing wakes the lane earlier."""


@dataclass(eq=False, slots=True)
class Flush:
    """Someone waits until everything is sent."""

    deadline: Deadline
    final: bool
    done: threading.Event = field(default_factory=threading.Event)
    complete: bool = False
    """Once it is done: every line is in CloudWatch."""


class Lane:
    """One stream with a thread of its own, so that no stream waits for another. Nothing here raises."""

    def __init__(
        self,
        stream: LogStream,
        backlog: Backlog,
        *,
        clock: Clock,
        on_shipped: Callable[[str, Path, int], None],
        pace: Pace,
        housekeeping: Callable[[], object],
    ) -> None:
        """Has no thread yet."""
        self.backlog = backlog
        self.sent_lines = 0
        self.worst_lag_seconds = 0.0
        self._stream = stream
        self._clock = clock
        self._on_shipped = on_shipped
        self._pace = pace
        self._housekeeping = housekeeping
        self._lock = threading.Lock()
        self._flushes: list[Flush] = []
        self._refused_lines = 0
        self._failures = 0
        self._retry_at = 0.0
        self._look_again_at = clock.monotonic() + _LOOK_AGAIN_SECONDS
        self._warned = False
        self._wake = threading.Event()
        self._at_end = True
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread, unless it was started before."""
        with self._lock:
            if self._thread is None and not self._stopping:
                name = f"logs {self._stream.name}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def look(self) -> None:
        """There may be more to read."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread after the call it is in, and waits a little for that; the rest stays unsent."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def ask(self, flush: Flush) -> Flush:
        """Asks the thread to send everything; `done` is set when it is sent, or cannot be."""
        with self._lock:
            self._flushes.append(flush)
            # Whoever waits for the end should not wait for an old back-off first, and what was refused
            # early on (no credentials yet, no group yet) may be granted by now.
            self._retry_at, self._failures = 0.0, 0
            self._stream.try_again()
            if self._stopping:
                flush.done.set()
        self._wake.set()
        return flush

    def unsent_lines(self) -> int:
        """Lines that are not in CloudWatch: waiting, still in the files, or refused."""
        return self.backlog.lines_left() + self._lost_lines

    @property
    def _lost_lines(self) -> int:
        return self._refused_lines + self._stream.rejected_events

    def _run(self) -> None:
        _be_nice()
        while not self._stopping:
            try:
                self._step()
            except Exception as exc:  # noqa: BLE001 - whatever happens, the job goes on
                self._back_off()
                self._warn_once(exc)
            self._clock.wait(self._wake, self._pause())
            self._wake.clear()
        for flush in list(self._flushes):
            self._answer(flush, complete=False)

    def _step(self) -> None:
        self._housekeeping()
        flushes = list(self._flushes)
        if self._stream.off and self._clock.monotonic() >= self._look_again_at:
            # What was refused may have been granted by now: a role, a group.
            self._look_again_at = self._clock.monotonic() + _LOOK_AGAIN_SECONDS
            self._stream.try_again()
        off = self._stream.off
        self._at_end = off or self.backlog.fill(final=any(flush.final for flush in flushes))
        everything = bool(flushes) or self.backlog.waited_seconds >= self._pace.flush_seconds
        while self._may_send(everything=everything) and self._send():
            pass
        complete = not off and self._at_end and self.backlog.is_empty
        for flush in flushes:
            if complete or self._stream.off or flush.deadline.expired:
                self._answer(flush, complete=complete and self._lost_lines == 0)

    def _answer(self, flush: Flush, *, complete: bool) -> None:
        with self._lock:
            self._flushes.remove(flush)
        flush.complete = complete
        flush.done.set()

    def _pause(self) -> float:
        backing_off = max(0.0, self._retry_at - self._clock.monotonic())
        if self._flushes:
            return min(backing_off, *(flush.deadline.remaining() for flush in self._flushes))
        if not self._at_end and not self._stream.off:
            return backing_off
        if self.backlog.is_empty:
            return self._pace.poll_seconds
        due = self._pace.flush_seconds - self.backlog.waited_seconds
        return max(backing_off, min(due, self._pace.poll_seconds), 0.0)

    def _may_send(self, *, everything: bool) -> bool:
        if self._stopping or self.backlog.is_empty or self._clock.monotonic() < self._retry_at:
            return False
        return everything or self.backlog.holds_a_whole_batch

    def _send(self) -> bool:
        """Sends one batch; true when it is off the list."""
        batch = self.backlog.next_batch()
        put = self._stream.put(batch)
        self.worst_lag_seconds = max(self.worst_lag_seconds, self.backlog.waited_seconds)
        if put in (Put.LATER, Put.OFF):
            self._back_off()
            return False
        self._failures = 0
        self.backlog.forget(batch)
        ends = [(each.path, each.end_offset) for each in batch if each.end_offset is not None]
        offsets, lines = dict(ends), len(ends)
        if put is Put.SENT:
            self.sent_lines += lines
        else:
            self._refused_lines += lines
        for path, offset in offsets.items():
            self._on_shipped(self._stream.name, path, offset)
        return True

    def _back_off(self) -> None:
        delay = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(self._failures, 10))
        jittered = delay * random.uniform(0.5, 1)  # noqa: S311 - no secret
        self._retry_at = self._clock.monotonic() + jittered
        self._failures += 1

    def _warn_once(self, exc: Exception) -> None:
        if not self._warned:
            warning(log, "logs.trouble", stream=self._stream.name, error=repr(exc))
        self._warned = True


def _be_nice() -> None:
    """This thread alone: where the machine is busy, the job goes first."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
