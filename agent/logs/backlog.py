"""What one stream still has to send: read ahead from its files as far as memory allows."""

import threading
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from operator import attrgetter
from pathlib import Path

from agent.clock import Clock
from agent.logs.batch import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_PLAIN_CHARACTERS,
    NO_METRIC,
    Event,
    Timestamps,
    events,
    may_be_a_metric,
    name_a_moment,
    next_batch,
    plain_events,
)
from agent.logs.blot import blot
from agent.logs.job_masks import JobMasks
from agent.logs.source import Directory, Source
from agent.logs.tail import Line
from agent.redact import Redactor

MAX_AHEAD_BYTES = 2 * MAX_BATCH_BYTES
"""How far the files are read ahead of what CloudWatch took; the rest waits on the disk."""
MAX_AHEAD_EVENTS = 2 * MAX_BATCH_EVENTS
_READ_BYTES = 256 * 1024
_SIZE = attrgetter("size_bytes")


class Backlog:
    """The files of one stream and the events read from them, in order. Safe to use from several threads."""

    def __init__(self, *, clock: Clock, redactor: Redactor) -> None:
        """Follows nothing yet."""
        self._clock = clock
        self._redactor = redactor
        self._job_masks = JobMasks()
        self._lock = threading.Lock()
        self._sources: list[Source] = []
        self._directories: list[Directory] = []
        self._pending: deque[Event] = deque()
        self._pending_bytes = 0
        self._oldest_at = 0.0
        self._timestamps = Timestamps()

    def follow(self, source: Source) -> None:
        """Adds a file; one that is followed already stays as it is."""
        with self._lock:
            if all(source.path != each.path for each in self._sources):
                self._sources.append(source)

    def follow_directory(self, directory: Directory) -> None:
        """Adds every file of the directory, also those that appear later; one that is followed already stays as it is."""
        with self._lock:
            if all(directory.path != each.path for each in self._directories):
                self._directories.append(directory)

    def take(self, path: Path) -> Source | None:
        """Gives a file away; the lines it holds so far stay here, as far as memory allows."""
        with self._lock:
            for source in self._sources:
                if source.path == path:
                    self._read(source, MAX_AHEAD_BYTES, final=False)
                    self._sources.remove(source)
                    return source
        return None

    def fill(self, *, final: bool) -> bool:
        """Reads ahead; true when every file was read to its end.

        Args:
            final: nobody writes any more: last lines without an end are lines too.
        """
        with self._lock:
            self._find()
            unread = list(self._sources)
            while unread and not self.is_full:
                unread = [each for each in unread if not self._read(each, _READ_BYTES, final=final)]
            if not unread:
                self._let_go_of_deleted()
            return not unread

    def find(self) -> None:
        """Opens the files that have appeared, so that they can be read although they are deleted soon."""
        with self._lock:
            self._find()

    def next_batch(self) -> tuple[Event, ...]:
        """What one call to CloudWatch takes; it stays in the backlog until it is forgotten."""
        with self._lock:
            return next_batch(self._pending)

    def forget(self, batch: tuple[Event, ...]) -> None:
        """Takes the batch that `next_batch` gave off the list."""
        with self._lock:
            for _ in batch:
                self._pending.popleft()
            self._pending_bytes -= sum(map(_SIZE, batch))
            self._oldest_at = self._clock.monotonic()

    @property
    def is_empty(self) -> bool:
        return not self._pending

    @property
    def is_full(self) -> bool:
        """As much is held as memory allows."""
        return self._pending_bytes >= MAX_AHEAD_BYTES or len(self._pending) >= MAX_AHEAD_EVENTS

    @property
    def holds_a_whole_batch(self) -> bool:
        return self._pending_bytes >= MAX_BATCH_BYTES or len(self._pending) >= MAX_BATCH_EVENTS

    @property
    def waited_seconds(self) -> float:
        """How long the oldest line has been waiting."""
        return self._clock.monotonic() - self._oldest_at if self._pending else 0.0

    def lines_left(self) -> int:
        """Lines waiting here or still unread in the files."""
        with self._lock:
            waiting = sum(each.end_offset is not None for each in self._pending)
            return waiting + sum(source.tail.lines_left() for source in self._sources)

    @property
    def dropped_bytes(self) -> int:
        """That the spool's limit took before they were read."""
        with self._lock:
            return sum(source.tail.dropped_bytes for source in self._sources)

    def _find(self) -> None:
        for directory in self._directories:
            self._sources.extend(directory.new_sources())

    def _let_go_of_deleted(self) -> None:
        for source in [each for each in self._sources if each.tail.deleted]:
            if self._read(source, MAX_AHEAD_BYTES, final=True):
                self._sources.remove(source)
                source.tail.close()
                for directory in self._directories:
                    directory.let_go(source.path)

    def _read(self, source: Source, ahead_bytes: int, *, final: bool) -> bool:
        """Reads one file until it is at its end or far enough ahead; true when it was at its end."""
        before = self._pending_bytes
        while not self.is_full and self._pending_bytes - before < ahead_bytes:
            start = source.tail.offset
            lines = source.tail.read(limit_bytes=_READ_BYTES, final=final)
            if not lines:
                return True
            if not self._pending:
                self._oldest_at = self._clock.monotonic()
            new = list(self._events(source, lines, start))
            self._pending.extend(new)
            self._pending_bytes += sum(map(_SIZE, new))
        return False

    def _events(self, source: Source, lines: list[Line], start: int) -> Iterator[Event]:
        """Most lines need nothing done to them, and a look at many at once is much cheaper than one at each."""
        texts, ends, continued = zip(*lines, strict=True)
        whole = "\n".join(texts)
        self._job_masks.learn(whole)
        secret = bool(self._redactor.spans(whole))
        if secret and source.own:
            blot(source.path, start, ends[-1], self._redactor.spans)
        if (
            secret
            or any(continued)
            or (source.own and may_be_a_metric(texts))
            or self._job_masks.in_text(whole)
            or max(map(len, texts)) > MAX_PLAIN_CHARACTERS - len(source.prefix)
        ):
            return self._one_by_one(source, lines)
        now = self._clock.utc()
        dated = name_a_moment(texts)
        moments = (
            self._timestamps.of_each(texts, now) if dated else repeat(self._timestamps.of("", now))
        )
        if source.prefix or "" in texts:
            texts = tuple(source.prefix + text or " " for text in texts)
        return plain_events(moments, texts, source.path, ends)

    def _one_by_one(self, source: Source, lines: list[Line]) -> Iterator[Event]:
        now = self._clock.utc()
        for line in lines:
            text = source.prefix + self._job_masks.mask(self._redactor.mask(line.text))
            if source.own and may_be_a_metric((text,)):
                text = NO_METRIC + text
            moment = self._timestamps.of(line.text, now)
            yield from events(moment, text, source.path, line.end_offset, continues=line.continues)
