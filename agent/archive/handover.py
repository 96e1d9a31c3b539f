"""Hands plain bytes from one process to another through memory that both see: nothing is copied by the kernel.

A ring of slots. The giver says through one pipe how much it has put into the next slot, the taker says through the other that it
is done with a slot.
"""

import mmap
import os
import select
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Self

from agent.archive.limits import PIECE_BYTES

SLOTS = 16
SLOT_BYTES = PIECE_BYTES
LOOK_SECONDS = 0.1
_LENGTH = struct.Struct("=I")
_DONE = b"."


class Giver:
    """The side with the bytes. A context manager; leaving it closes what it holds."""

    def __init__(self) -> None:
        """Makes memory and pipes.

        Raises:
            OSError: there are none to be had.
        """
        self._memory = os.memfd_create("archive", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, SLOTS * SLOT_BYTES)
        self._slots = mmap.mmap(self._memory, SLOTS * SLOT_BYTES)
        self._their_lengths, self._lengths = os.pipe2(os.O_CLOEXEC)
        self._free, self._their_free = os.pipe2(os.O_CLOEXEC)
        self._waits = select.poll()
        self._waits.register(self._free, select.POLLIN)
        self._next = 0
        self._unused = SLOTS

    @property
    def inherited(self) -> tuple[int, int, int]:
        """The descriptors that the taker is made with."""
        return self._memory, self._their_lengths, self._their_free

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.started()
        for descriptor in (self._memory, self._lengths, self._free):
            os.close(descriptor)
        self._slots.close()

    def started(self) -> None:
        """Call it once the taker has its own: only then can either side see that the other has died."""
        for descriptor in (self._their_lengths, self._their_free):
            with suppress(OSError):
                os.close(descriptor)
        self._their_lengths = self._their_free = -1

    def give(self, piece: bytes, check: Callable[[], None]) -> bool:
        """Puts a piece of at most `SLOT_BYTES` into the next slot, once there is one.

        Args:
            piece: not empty.
            check: called while it waits; what it raises ends the wait.

        Returns:
            False when the taker has gone.
        """
        while not self._unused:
            if not self._waits.poll(LOOK_SECONDS * 1000):
                check()
                continue
            done = os.read(self._free, SLOTS)
            if not done:
                return False
            self._unused += len(done)
        at = self._next * SLOT_BYTES
        self._slots[at : at + len(piece)] = piece
        self._next = (self._next + 1) % SLOTS
        self._unused -= 1
        return self._say(len(piece))

    def end(self) -> None:
        """There is no more."""
        self._say(0)

    def _say(self, length: int) -> bool:
        try:
            os.write(self._lengths, _LENGTH.pack(length))
        except BrokenPipeError:
            return False
        return True


class GiverGone(Exception):
    """The giver has died, or given up: what was taken is not the whole."""


def taken(memory: int, lengths: int, free: int) -> Iterator[memoryview]:
    """What the giver gives; each piece is good until the next one is asked for.

    Raises:
        GiverGone: it went without a word.
    """
    slots = memoryview(mmap.mmap(memory, SLOTS * SLOT_BYTES, access=mmap.ACCESS_READ))
    number = 0
    while True:
        word = os.read(lengths, _LENGTH.size)
        if len(word) < _LENGTH.size:
            raise GiverGone
        (length,) = _LENGTH.unpack(word)
        if not length:
            return
        at = number * SLOT_BYTES
        yield slots[at : at + length]
        number = (number + 1) % SLOTS
        with suppress(BrokenPipeError):
            os.write(free, _DONE)
