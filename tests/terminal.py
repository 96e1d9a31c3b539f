"""A program on a real terminal of a given size, and what a terminal emulator holds of it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A program that has ended.

    Attributes:
        exit_status: negative for a signal.
        lines: everything that is on the screen or was scrolled away, top to bottom.
        cursor_hidden: whether it left the cursor hidden.
    """

    exit_status: int
    lines: tuple[str, ...]
    cursor_hidden: bool


class Terminal:
    """What the emulator holds now, for whoever looks while the program runs."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=5000, ratio=1.0)
        self._stream = pyte.ByteStream(self.screen)
        self._far, self.near = pty.openpty()
        self._size(columns, rows)
        self.process: subprocess.Popen[bytes]

    @property
    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def resize(self, columns: int, rows: int) -> None:
        self._size(columns, rows)
        self.screen.resize(rows, columns)

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def run(
        self,
        program: Sequence[str],
        *,
        cwd: Path,
        env: dict[str, str],
        look: Callable[["Terminal"], None],
    ) -> Watched:
        """Runs it to its end, calling `look` after each piece that it wrote."""
        self.process = subprocess.Popen(
            program,
            cwd=cwd,
            env=env,
            stdin=self.near,
            stdout=self.near,
            stderr=self.near,
            start_new_session=True,
        )
        os.close(self.near)
        while data := self._read():
            self._stream.feed(data)
            look(self)
        status = self.process.wait(SECONDS)
        os.close(self._far)
        gone = ["".join(line[x].data for x in sorted(line)) for line in self.screen.history.top]
        lines = tuple(line.rstrip() for line in [*gone, *self.screen.display])
        return Watched(status, lines, self.screen.cursor.hidden)

    def _read(self) -> bytes:
        ready, _, _ = select.select([self._far], [], [], SECONDS)
        if not ready:
            self.process.kill()
            raise TimeoutError(self.shown)
        try:
            return os.read(self._far, 65536)
        except OSError:
            return b""  # the program has closed its end

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
