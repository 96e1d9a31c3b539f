"""Follows one growing file line by line, from an offset."""

import logging
import os
import weakref
from contextlib import suppress
from functools import partial
from itertools import accumulate, repeat, takewhile
from pathlib import Path
from typing import NamedTuple

from agent.events import warning
from agent.held import Folder
from agent.logs.spool_limit import hole_end
from agent.redact import Redactor

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 240 * 1024
"""Less than an event may have. A longer line comes in pieces of at most this size (and a little more for the last)."""
_LEAST_BYTES, _READ_BYTES = 64 * 1024, 256 * 1024
_CONTINUATION = 0b1000_0000
"""UTF-8: the upper two bits of every byte of a character but the first."""


class Line(NamedTuple):
    """One line; a tuple, because a job makes millions of them."""

    text: str
    """Without its line end; invalid UTF-8 and NUL are U+FFFD."""
    end_offset: int
    """Bytes of the file up to and with this line's end."""
    continues: bool = False
    """It goes on where the line before it was cut."""


_LINE = partial(tuple.__new__, Line)
"""What `Line(...)` does, without a call of Python's for each of millions."""


class Tail:
    """Reads a file that another process appends to.

    A file that is not there yet is empty so far. One that is deleted is read to its end; one that is replaced
    too, then the new one from its beginning; one that shrinks is read again from its beginning. Symlinks and
    anything else that is no plain file are not read. Nothing is raised: what cannot be read is warned of once.
    """

    def __init__(
        self,
        path: Path,
        offset: int = 0,
        *,
        redactor: Redactor | None = None,
        folder: Folder | None = None,
    ) -> None:
        """Remembers the file; nothing is opened before the first `read`.

        Args:
            path: the file.
            offset: bytes that were read in an earlier life; more than the file holds means from its beginning.
            redactor: knows what must not be cut in two. It masks nothing here.
            folder: where the file is, when others may change that folder or what is above it.
        """
        self.path = path
        self._folder = folder or Folder(path.parent)
        self._offset = offset
        self._redactor = redactor or Redactor()
        self.dropped_bytes = 0
        """Never given out, because the spool was over its limit."""
        self._cut = False
        self._held = bytearray()
        self._handle: int | None = None
        self._closer: weakref.finalize[[int], Tail] | None = None
        self._warned = False

    @property
    def offset(self) -> int:
        """Bytes up to the end of the last line that was given out."""
        return self._offset

    def read(self, *, limit_bytes: int = 1024 * 1024, final: bool = False) -> list[Line]:
        """The next lines that are whole; empty when there is none.

        Args:
            limit_bytes: stop after about so many bytes, but not before there is one line. Call again for more.
            final: nobody writes any more: a last line without an end is a line too.
        """
        lines: list[Line] = []
        try:
            self._read(lines, limit_bytes, final=final)
        except OSError as exc:
            self._warn(exc)
        return lines

    def hold(self) -> None:
        """Opens the file, so that it can be read to its end even when it is deleted now."""
        with suppress(OSError):
            self._open()

    @property
    def deleted(self) -> bool:
        """The file has no name any more; nobody else will find it."""
        return self._handle is not None and os.fstat(self._handle).st_nlink == 0

    def lines_left(self, limit_bytes: int = 64 * 1024 * 1024) -> int:
        """How many lines of the file have not been given out, counted over at most `limit_bytes`."""
        try:
            if not self._open():
                return 0
            return self._count(limit_bytes)
        except OSError:
            return 0

    def close(self) -> None:
        """Lets go of the file; the next `read` opens it again and goes on where this one stopped."""
        if self._closer is not None:
            self._closer()
        self._held.clear()
        self._handle, self._closer = None, None

    def _read(self, lines: list[Line], limit_bytes: int, *, final: bool) -> None:
        taken = 0
        while self._open() and (taken < limit_bytes or not lines):
            chunk = self._next_chunk(lines, min(_READ_BYTES, max(limit_bytes, _LEAST_BYTES)))
            if chunk[:1] == b"\0" and self._skipped_hole(lines):
                continue
            taken += len(chunk)
            self._held += chunk
            self._take_lines(lines)
            if not chunk and not self._at_end(lines, final=final):
                break

    def _at_end(self, lines: list[Line], *, final: bool) -> bool:
        """What to do at the end of the file; true when another one took its place."""
        replaced = self._replaced()
        if replaced:
            self._start_again(lines)
            self.close()
        elif final:
            self._take_rest(lines)
        return replaced

    def _open(self) -> bool:
        if self._handle is not None:
            return True
        try:
            handle = self._folder.open(self.path.name)
        except FileNotFoundError:
            return False
        self._closer = weakref.finalize(self, os.close, handle)
        if os.fstat(handle).st_size < self._offset:
            self._offset = 0
        self._cut = self._offset > 0 and os.pread(handle, 1, self._offset - 1) != b"\n"
        self._handle = handle
        return True

    def _next_chunk(self, lines: list[Line], size: int) -> bytes:
        assert self._handle is not None  # noqa: S101 - only called once it is open
        if os.fstat(self._handle).st_size < self._offset + len(self._held):
            self._start_again(lines)
        return os.pread(self._handle, size, self._offset + len(self._held))

    def _skipped_hole(self, lines: list[Line]) -> bool:
        """Whether bytes were dropped here because the spool was over its limit; a line in their place says how many."""
        assert self._handle is not None  # noqa: S101 - only called once it is open
        at = self._offset + len(self._held)
        end = hole_end(self._handle, at)
        if end == at:
            return False
        # What is left of the line that was cut is no use to anybody.
        rest = os.pread(self._handle, MAX_LINE_BYTES, end)
        end += rest.find(b"\n") + 1
        dropped = end - self._offset
        self.dropped_bytes += dropped
        self._held.clear()
        self._offset, self._cut = end, False
        lines.append(Line(f"[{dropped} bytes of this log were dropped: the spool was full]", end))
        return True

    def _replaced(self) -> bool:
        """True when the path now names another file; false when it names none."""
        assert self._handle is not None  # noqa: S101 - only called once it is open
        try:
            there = self._folder.lstat(self.path.name)
        except OSError:
            return False
        mine = os.fstat(self._handle)
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _take_lines(self, lines: list[Line]) -> None:
        held, start = self._held, 0
        while True:
            # Two bytes more than the limit, so that `\r\n` right behind a full line makes no empty piece.
            end = held.find(b"\n", start, start + MAX_LINE_BYTES + 2)
            if end >= 0 and not self._cut:
                start += self._take_whole_lines(lines, start)
            elif end >= 0:
                self._take(lines, held[start:end], end + 1 - start, ended=True)
                start = end + 1
            elif self._too_long(start):
                end = self._where_to_cut(start)
                self._take(lines, held[start:end], end - start, ended=False)
                start = end
            else:
                break
        del held[:start]

    def _take_whole_lines(self, lines: list[Line], start: int) -> int:
        """All lines from here to the last line end, or to one that is too long; returns their bytes. One is there at least."""
        block = bytes(self._held[start : self._held.rfind(b"\n")])
        sizes = [len(raw) + 1 for raw in block.split(b"\n")]
        if max(sizes) > MAX_LINE_BYTES + 2:
            sizes = list(takewhile(lambda size: size <= MAX_LINE_BYTES + 2, sizes))
            block = block[: sum(sizes) - 1]
        ends = list(accumulate(sizes, initial=self._offset))[1:]
        self._offset = ends[-1]
        lines.extend(map(_LINE, zip(_texts(block), ends, repeat(False))))  # noqa: FBT003 - one has no end
        return sum(sizes)

    def _take(self, lines: list[Line], raw: bytearray, size: int, *, ended: bool) -> None:
        self._offset += size
        lines.append(Line(_text(raw, ended=ended), self._offset, continues=self._cut))
        self._cut = not ended

    def _too_long(self, start: int) -> bool:
        """Whether it has to be cut, and everything is there that decides where."""
        ahead = len(self._held) - start - MAX_LINE_BYTES - 2
        return ahead >= self._redactor.longest_bytes or (
            ahead >= 0 and b"\n" in self._held[start + MAX_LINE_BYTES :]
        )

    def _where_to_cut(self, start: int) -> int:
        """Between two characters, and not inside a secret: half of one would not be known as a secret any more."""
        at = _character_boundary(self._held, start + MAX_LINE_BYTES)
        near = self._redactor.longest_bytes
        first = max(start, at - near)
        text = self._held[first : at + near].decode("utf-8", "surrogateescape")
        for begin, end in self._redactor.spans(text):
            place = first + len(text[:begin].encode("utf-8", "surrogateescape"))
            behind = place + len(text[begin:end].encode("utf-8", "surrogateescape"))
            if place < at < behind:
                return place if place > start else behind
        return at

    def _take_rest(self, lines: list[Line]) -> None:
        if self._held:
            self._take(lines, self._held, len(self._held), ended=True)
            self._held.clear()

    def _start_again(self, lines: list[Line]) -> None:
        """Gives out what is held of the old content; its offset must not be carried over to the new."""
        if self._held:
            lines.append(Line(_text(self._held, ended=True), 0, continues=self._cut))
            self._held.clear()
        self._offset, self._cut = 0, False

    def _count(self, limit_bytes: int) -> int:
        assert self._handle is not None  # noqa: S101 - only called once it is open
        at, count, last = self._offset, 0, b"\n"
        while at - self._offset < limit_bytes:
            chunk = os.pread(self._handle, 1024 * 1024, at)
            if not chunk:
                return count + (last != b"\n")
            at, count, last = at + len(chunk), count + chunk.count(b"\n"), chunk[-1:]
        return count

    def _warn(self, exc: OSError) -> None:
        if not self._warned:
            warning(log, "logs.unreadable", path=self.path, error=exc)
        self._warned = True


def _text(raw: bytes | bytearray, *, ended: bool) -> str:
    line = raw.removesuffix(b"\r") if ended else raw
    return line.decode("utf-8", "replace").replace("\0", "\ufffd")


def _texts(block: bytes) -> list[str]:
    """As `_text` for lines that have their ends, all at once where they are valid."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return [_text(raw, ended=True) for raw in block.split(b"\n")]
    lines = text.replace("\0", "\ufffd").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _character_boundary(data: bytearray, at: int) -> int:
    """The last place up to `at` where UTF-8 may be cut; `at` itself where it is no UTF-8."""
    for back in range(4):
        if data[at - back] & 0xC0 != _CONTINUATION:
            return at - back
    return at
