"""Log events, and how many of them one PutLogEvents call takes."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import islice, repeat
from pathlib import Path
from typing import NamedTuple

# AWS: PutLogEvents, API reference.
MAX_BATCH_BYTES = 1_048_576
MAX_BATCH_EVENTS = 10_000
MAX_SPAN_MS = 24 * 3600 * 1000
EVENT_OVERHEAD_BYTES = 26
# 1 MB since 2025 and 256 KB before; the lower one, with the overhead inside, holds everywhere.
MAX_MESSAGE_BYTES = 256 * 1024 - EVENT_OVERHEAD_BYTES

CONTINUED = "[continued] "
NO_METRIC = "[not a metric] "
"""CloudWatch makes metrics of an event that is a JSON object of a certain form; only the agent's own may be."""
MAX_PLAIN_CHARACTERS = (MAX_MESSAGE_BYTES - len(CONTINUED)) // 4
"""A character takes at most four bytes, so a line of so many needs no counting."""

_CLOCK_JUMP_MS = 3600 * 1000
_CONTINUATION = 0b1000_0000
"""UTF-8: the upper two bits of every byte of a character but the first."""
_MOMENT = re.compile(
    r"[\[\ufeff]?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{3})\d{0,6})?Z", re.ASCII
)
"""As `_diag` has it, the listener, our own log, and the pages of a job's steps, whose file may begin with a byte order mark."""


class Event(NamedTuple):
    """One event for CloudWatch, and which line of which file it ends; a tuple, because there are millions."""

    timestamp_ms: int
    message: str
    size_bytes: int
    """As CloudWatch counts: the message in UTF-8 and 26 bytes."""
    path: Path
    end_offset: int | None
    """Bytes of the file that have been sent with this event; None when the line goes on in the next one."""


def events(
    timestamp_ms: int, text: str, path: Path, end_offset: int, *, continues: bool = False
) -> Iterator[Event]:
    """The events of one line: one, or several when it is longer than an event may be.

    CloudWatch refuses empty messages, so an empty line becomes a space. Every piece of a line but its first begins with
    `CONTINUED`; `continues` says that the first one here is no beginning either.
    """
    pieces = list(_pieces(text)) or [" "]
    for number, piece in enumerate(pieces, start=1):
        message = CONTINUED + piece if continues or number > 1 else piece
        size = len(message.encode()) + EVENT_OVERHEAD_BYTES
        offset = end_offset if number == len(pieces) else None
        yield Event(timestamp_ms, message, size, path, offset)


def may_be_a_metric(texts: Iterable[str]) -> bool:
    """Whether any of the lines could be a JSON object with the key `_aws`, which JSON may also write by its characters' numbers.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    return any(
        text.lstrip().startswith("{") and ("_aws" in text or "\\u" in text) for text in texts
    )


def next_batch(pending: Iterable[Event]) -> tuple[Event, ...]:
    """As many events from the front as one call takes: inside CloudWatch's limits and in chronological order."""
    batch: list[Event] = []
    left = MAX_BATCH_BYTES
    earliest, behind = 0, sys.maxsize
    for event in islice(pending, MAX_BATCH_EVENTS):
        moment, _, size, _, _ = event
        left -= size
        if left < 0 or not earliest <= moment < behind:
            break
        if not batch:
            behind = moment + MAX_SPAN_MS
        earliest = moment
        batch.append(event)
    return tuple(batch)


def plain_events(
    moments: Iterable[int], texts: Sequence[str], path: Path, ends: Sequence[int]
) -> Iterator[Event]:
    """As `events` for many lines at once, none of which is empty or longer than an event may be; ten times as fast."""
    sizes: Iterable[int] = map(len, texts)
    if not "".join(texts).isascii():
        sizes = (len(text.encode()) for text in texts)
    whole = (size + EVENT_OVERHEAD_BYTES for size in sizes)
    fields = zip(moments, texts, whole, repeat(path), ends)
    return map(_EVENT, fields)


_EVENT = partial(tuple.__new__, Event)
"""What `Event(...)` does, without a call of Python's for each of millions."""


class Timestamps:
    """Gives each line of one stream its time: never earlier than that of the line before it."""

    def __init__(self) -> None:
        """Has given none yet."""
        self._last_ms = 0

    def of(self, text: str, now: datetime) -> int:
        """Milliseconds since 1970: the moment the line itself names, where it is of the last 24 hours, else `now`."""
        return next(self.of_each((text,), now))

    def of_each(self, texts: Iterable[str], now: datetime) -> Iterator[int]:
        """As `of`, for one line after another."""
        now_ms = int(now.timestamp() * 1000)
        if self._last_ms > now_ms + _CLOCK_JUMP_MS:
            # The wall clock was set back; CloudWatch would refuse what lies too far in the future.
            self._last_ms = 0
        for text in texts:
            own_ms = _moment_ms(text)
            if own_ms is None or not now_ms - MAX_SPAN_MS < own_ms <= now_ms:
                own_ms = now_ms
            self._last_ms = max(self._last_ms, own_ms)
            yield self._last_ms


def name_a_moment(texts: Iterable[str]) -> bool:
    """Whether any of the lines says when it was written."""
    return any(map(_MOMENT.match, texts))


def _moment_ms(text: str) -> int | None:
    found = _MOMENT.match(text)
    if found is None:
        return None
    day, time, milliseconds = found.groups("0")
    second = _second(day, time)
    return None if second is None else second * 1000 + int(milliseconds)


@lru_cache(maxsize=64)
def _second(day: str, time: str) -> int | None:
    """Since 1970; None where there is no such moment. Many lines share a second."""
    try:
        return int(datetime.fromisoformat(f"{day}T{time}+00:00").timestamp())
    except ValueError:
        return None


def _pieces(text: str) -> Iterator[str]:
    if len(text) <= MAX_PLAIN_CHARACTERS:
        if text:
            yield text
        return
    raw = text.encode()
    start = 0
    while start < len(raw):
        stop = min(start + MAX_MESSAGE_BYTES - len(CONTINUED), len(raw))
        while stop < len(raw) and raw[stop] & 0xC0 == _CONTINUATION:
            stop -= 1
        yield raw[start:stop].decode()
        start = stop
