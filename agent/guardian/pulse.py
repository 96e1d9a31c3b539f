"""What the flow tells the guardian: that its event loop turns, and that the instance is being ended.

A pipe and not a file: it works on a full or read-only disk, and is gone with the process. Standard library only.
"""

import contextlib
import os
import time

OPTION = "--pulse="
BEAT = b"."
_NOUGHT = ord("0")


class Pulse:
    """The guardian's end of the pipe."""

    def __init__(self) -> None:
        """Makes the pipe; the time without a beat counts from here."""
        self._reads, self.writes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._last = time.monotonic()
        self.exit_status: int | None = None
        """Set once the flow has ended the instance: what the run comes to."""

    def silent_seconds(self) -> float:
        """Seconds since the last beat; takes in what has come."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._reads, 4096):
                self._last = time.monotonic()
                for byte in data.replace(BEAT, b""):
                    self.exit_status = byte - _NOUGHT
        return time.monotonic() - self._last

    def close(self) -> None:
        self.silent_seconds()
        os.close(self._reads)
        os.close(self.writes)


class Heart:
    """The flow's end of the pipe. Never raises: a flow without a guardian goes on."""

    def __init__(self, descriptor: int | None) -> None:
        """None where nobody listens."""
        self._descriptor = descriptor

    @classmethod
    def of(cls, arguments: list[str]) -> "Heart":
        """Of the command line that the guardian started the flow with."""
        given = [word.removeprefix(OPTION) for word in arguments if word.startswith(OPTION)]
        return cls(int(given[0]) if given and given[0].isdecimal() else None)

    def beat(self) -> None:
        self._write(BEAT)

    def instance_ended(self, exit_status: int) -> None:
        """Says that the terminate call was made, and what the run comes to."""
        self._write(bytes([_NOUGHT + exit_status]))

    def _write(self, data: bytes) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, data)
