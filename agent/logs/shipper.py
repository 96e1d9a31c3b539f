"""Sends followed files to CloudWatch streams, each file's lines in order, every 5 s or 1 MiB."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import Clock
from agent.deadline import Deadline
from agent.events import event
from agent.held import Folder
from agent.logs.backlog import Backlog
from agent.logs.cloudwatch import LogsClient, LogStream
from agent.logs.file_notices import FileNotices
from agent.logs.lane import Flush, Lane, Pace
from agent.logs.source import Directory, source
from agent.redact import Redactor

log = logging.getLogger(__name__)

_WITHOUT_NOTICES_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush came to."""

    complete: bool
    """Every line written before the flush is in CloudWatch; also true when shipping is off."""
    unsent_lines: int = 0
    """Lines that are not in CloudWatch: they are in the files, or CloudWatch refused them."""
    sent_lines: Mapping[str, int] = field(default_factory=dict)
    """By stream, since the start."""
    dropped_bytes: int = 0
    """Since the start: what the spool's limit took before it was read."""
    worst_lag_seconds: float = field(default=0.0, compare=False)
    """Since the start: the longest that a line waited until CloudWatch had it."""


class Shipper:
    """Files to streams, a thread for each stream.

    Nothing here raises: what goes wrong is a warning in the agent's log, once each. Memory is bounded: what
    CloudWatch does not take yet stays in the files.
    """

    def __init__(
        self,
        client: LogsClient | None,
        group: str,
        *,
        clock: Clock,
        redactor: Redactor,
        on_shipped: Callable[[str, Path, int], None],
        flush_seconds: float = 5.0,
        poll_seconds: float = 5.0,
        housekeeping: Callable[[], object] = lambda: None,
    ) -> None:
        """Starts nothing yet.

        Args:
            client: boto3's `logs` client; None turns shipping off: every call then does nothing.
            group: the log group; empty turns shipping off too.
            clock: what time it is.
            redactor: masks each line before it is kept in memory.
            on_shipped: told stream, file and offset after each batch, from several threads.
            flush_seconds: how long a line may wait for others to share its batch.
            poll_seconds: between two looks at the files, where the kernel does not say that they have grown.
            housekeeping: called again and again, from several threads.
        """
        self._client = client if group else None
        self._group = group
        self._clock = clock
        self._redactor = redactor
        self._on_shipped = on_shipped
        self._pace = Pace(flush_seconds, poll_seconds)
        self._housekeeping = housekeeping
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        self._started = False
        self._notices = FileNotices(self._find, self._look) if self._client is not None else None

    def follow(self, path: Path, stream: str, *, offset: int = 0, own: bool = False) -> None:
        """Sends a file's lines to the stream, from an offset in bytes; the file need not be there yet.

        A file that goes to this stream already stays as it is. Of one that is the agent's `own`, secrets are taken out on
        the disk too.
        """
        lane = self._lane(stream)
        if lane is not None:
            self._watch(path.parent)
            lane.backlog.follow(source(path, "", offset, redactor=self._redactor, own=own))
            lane.look()

    def follow_directory(
        self,
        directory: Folder,
        pattern: str,
        stream: str,
        *,
        prefix: Callable[[Path], str],
        offset: Callable[[Path], int] = lambda _: 0,
    ) -> None:
        """Sends every file of a directory that fits the pattern, also those that appear later.

        Args:
            directory: need not be there yet.
            pattern: such as `*.log`.
            stream: where all of them go.
            prefix: what is written before each line of a file.
            offset: bytes of a file that were sent in an earlier life.
        """
        lane = self._lane(stream)
        if lane is not None:
            self._watch(directory.path)
            lane.backlog.follow_directory(
                Directory(directory, pattern, prefix, offset, self._redactor)
            )
            lane.look()

    def move(self, path: Path, stream: str) -> None:
        """From the next line on, the file goes to another stream; one that was not followed is from now on."""
        target = self._lane(stream)
        if target is None:
            return
        others = [lane for lane in self._all_lanes() if lane is not target]
        taken = [moved for lane in others if (moved := lane.backlog.take(path)) is not None]
        there = taken[0] if taken else source(path, "", 0, redactor=self._redactor)
        self._watch(path.parent)
        target.backlog.follow(there)
        target.look()

    def start(self) -> None:
        """Starts sending; more than once does nothing."""
        self._start_notices()
        for lane in self._all_lanes():
            lane.start()

    def flush(self, deadline: Deadline, *, final: bool) -> Flushed:
        """Waits until everything that was written so far is sent, or the deadline is over; starts when it must.

        Args:
            deadline: returns by then, even from a call that hangs.
            final: nobody writes any more, so last lines without an end are sent too.
        """
        self.start()
        with self._lock:
            lanes = dict(self._lanes)
        asked = [lane.ask(Flush(deadline, final)) for lane in lanes.values()]
        for flush in asked:
            self._clock.wait(flush.done, deadline.remaining())
        complete = all(flush.complete for flush in asked)
        return Flushed(
            complete=complete,
            unsent_lines=0 if complete else sum(lane.unsent_lines() for lane in lanes.values()),
            sent_lines={name: lane.sent_lines for name, lane in lanes.items()},
            dropped_bytes=sum(lane.backlog.dropped_bytes for lane in lanes.values()),
            worst_lag_seconds=max((lane.worst_lag_seconds for lane in lanes.values()), default=0.0),
        )

    def stop(self) -> None:
        """Ends the threads, in a few seconds at most; sends nothing more."""
        for lane in self._all_lanes():
            lane.stop()
        if self._notices is not None:
            self._notices.close()

    def _start_notices(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
        try:
            if self._notices is not None:
                self._notices.start()
        except OSError as exc:
            event(log, "logs.polled", why=exc)
            self._notices = None
            self._pace.poll_seconds = min(self._pace.poll_seconds, _WITHOUT_NOTICES_SECONDS)

    def _watch(self, directory: Path) -> None:
        if self._notices is not None:
            self._notices.watch(directory)

    def _find(self) -> None:
        for lane in self._all_lanes():
            lane.backlog.find()
            lane.look()

    def _look(self) -> None:
        self._housekeeping()  # also while a call of every lane hangs
        for lane in self._all_lanes():
            lane.look()

    def _all_lanes(self) -> list[Lane]:
        with self._lock:
            return list(self._lanes.values())

    def _lane(self, stream: str) -> Lane | None:
        """The stream's lane, made when it is new; None while shipping is off."""
        if self._client is None:
            return None
        with self._lock:
            if stream not in self._lanes:
                self._lanes[stream] = Lane(
                    LogStream(self._client, self._group, stream),
                    Backlog(clock=self._clock, redactor=self._redactor),
                    clock=self._clock,
                    on_shipped=self._on_shipped,
                    pace=self._pace,
                    housekeeping=self._housekeeping,
                )
            lane = self._lanes[stream]
        if self._started:
            lane.start()
        return lane
