"""A small reader of tar archives that only look forward: ustar, with GNU's long names and POSIX's (pax) extended headers.

The format is pax(1)'s (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html) and GNU tar's
(https://www.gnu.org/software/tar/manual/html_node/Standard.html). What it does not know, it refuses: sparse files, for example,
can stand for terabytes that never came over the wire. That, and time, is why it is not `tarfile`: a runner has thousands of
small files, every boot of the fleet reads them, and `tarfile` takes 1.6 times as long.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from agent.archive.limits import MEND
from agent.errors import ArchiveError

BLOCK = 512
LARGEST_HEADER = 1 << 20
"""Bytes of an extended header; GNU tar's largest hold a path and perhaps attributes of 64 KiB."""


class Kind(Enum):
    """What a member of a runner's archive may be."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    FOLDER = b"5"


_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Member:
    """One entry, as the archive has it: nothing of it has been checked."""

    name: str
    kind: Kind
    mode: int
    size: int
    """Bytes of content that follow; 0 for anything but a file."""
    target: str
    """What a link leads to; empty for anything else."""


class Plain:
    """Plain bytes read in order, from pieces of any size, without joining them."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        """Takes nothing yet."""
        self._pieces = pieces
        self._piece = memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Between 1 and `most` bytes; none only at the end."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return self._piece
            self._piece = memoryview(piece)
        taken, self._piece = self._piece[:most], self._piece[most:]
        return taken

    def exactly(self, size: int) -> bytes:
        """`size` bytes; fewer only at the end."""
        taken = b""
        while len(taken) < size and (piece := self.some(size - len(taken))):
            taken += piece
        return taken

    def content(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes, piece by piece, and past the padding after them.

        Raises:
            ArchiveError: there are not as many.
        """
        left = size
        while left:
            piece = self.some(left)
            if not piece:
                raise _damaged("it ends within a file")
            left -= len(piece)
            yield piece
        self.exactly(-size % BLOCK)

    def drain(self) -> None:
        """Takes the rest."""
        self._piece = memoryview(b"")
        while self.some(1 << 30):
            pass


def members(plain: Plain) -> Iterator[Member]:
    """Every member in order; the content of a file must be taken before the next one is asked for.

    Raises:
        ArchiveError: no tar archive, damaged, or with something in it that a runner has no use for.
    """
    seen, longer = 0, dict[str, str]()
    while (header := plain.exactly(BLOCK)).strip(b"\0"):
        if len(header) < BLOCK or not _sound(header):
            raise _damaged(f"header {seen + 1} begins with {header[:8]!r}")
        seen += 1
        kind = header[156:157]
        if kind in b"LKxg":
            longer |= _extension(kind, plain, _number(header[124:136]))
        else:
            yield _member(header, longer)
            longer = {}
    if not seen:
        raise _damaged("it is empty")


def _sound(header: bytes) -> bool:
    """Whether the header's own checksum is right: the sum of its bytes, those of the checksum taken as blanks."""
    field = header[148:156]
    return _octal(field) == sum(header) - sum(field) + 8 * ord(" ")


def _member(header: bytes, longer: dict[str, str]) -> Member:
    name = longer.get("path") or _name(header)
    kind = header[156:157]
    if kind in (b"\0", b"7"):
        # Before ustar, a folder was a file whose name ends in a slash.
        kind = b"5" if name.endswith("/") else b"0"
    known = _KINDS.get(kind)
    if known is None:
        raise ArchiveError(
            f"{name[:200]!r} in the archive is neither a file nor a directory nor a link", mend=MEND
        )
    is_link = kind in (b"1", b"2")
    return Member(
        name,
        known,
        _number(header[100:108]),
        int(longer.get("size") or _number(header[124:136])) if kind == b"0" else 0,
        (longer.get("linkpath") or _text(header[157:257])) if is_link else "",
    )


def _name(header: bytes) -> str:
    """With ustar's prefix; GNU's own magic (`ustar` and two spaces) has other things in that place."""
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    name = _text(header[:100])
    return f"{prefix}/{name}" if prefix else name


def _extension(kind: bytes, plain: Plain, size: int) -> dict[str, str]:
    if size > LARGEST_HEADER:
        raise _damaged(f"an extended header has {size} bytes")
    data = b"".join(plain.content(size))
    if kind in b"LK":
        return {"path" if kind == b"L" else "linkpath": _text(data)}
    found = {key: value for key, value in _records(data) if key in _KNOWN or "sparse" in key}
    if found.keys() - _KNOWN or (kind == b"g" and found):
        raise _damaged("an extended header means every file, or one with holes")
    if not found.get("size", "0").isdecimal() or len(found.get("size", "")) > _DIGITS:
        raise _damaged("a size is no number")
    return found


_KNOWN = {"path", "linkpath", "size"}
_DIGITS = 20


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """The `length key=value` lines of a pax header."""
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _DIGITS)
        digits = data[at:space] if space > 0 else b""
        end = at + (int(digits) if digits.isdigit() else 0)
        if not space < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _damaged("an extended header cannot be read")
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        yield os.fsdecode(key), os.fsdecode(value)
        at = end


def _text(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _number(field: bytes) -> int:
    """Octal digits; or GNU's binary form for what is too large for them."""
    if field[0] == 0x80:  # noqa: PLR2004 - the mark of GNU's form; 0xff is that of a negative number
        return int.from_bytes(field[1:])
    number = _octal(field)
    if number is None:
        raise _damaged(f"{field!r} is no number")
    return number


def _octal(field: bytes) -> int | None:
    digits = field.strip(b" \0")
    if digits.isdigit():
        with suppress(ValueError):
            return int(digits, 8)
    return None if digits else 0


def _damaged(why: str) -> ArchiveError:
    return ArchiveError(f"the archive is not a tar file or damaged: {why}", mend=MEND)
