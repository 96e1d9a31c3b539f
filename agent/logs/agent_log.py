"""The agent's own log: one line an event, into a file and, where wanted, on the console."""

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from agent.redact import Redactor

RAW = "runs_fleet_raw"
"""`extra={RAW: True}`: the message is a line of its own, without time, level and logger."""
OURS = ("agent", "flows", "tasks")
"""Loggers that may say what they like; all others, third-party ones, say warnings and worse."""


def configure(
    path: Path, *, redactor: Redactor, console: TextIO | None, level: int = logging.INFO
) -> logging.Handler:
    """Sets up this process's logging; called again, it replaces what it set up before.

    Lines look like `2026-11-23T07:42:18.123Z INFO agent.runner.process runner.started pid=4711`. Of a message
    with several lines, or a traceback, each line carries the same beginning. Logging never raises into the
    caller: when the file cannot be written, the lines go to the console (or stderr), which is said once.

    Args:
        path: the file; made with mode 0600, appended to.
        redactor: masks every line before it is written anywhere.
        console: where people read along; None for nowhere.
        level: of our own loggers.

    Returns:
        The handler on the root logger. Prefect's own set-up takes all handlers off the root logger the first
        time it runs in a process, so call this after it.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, AgentLog):
            root.removeHandler(handler)
            handler.close()
    mine = AgentLog(path, redactor=redactor, console=console)
    root.addHandler(mine)
    root.setLevel(max(level, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    return mine


class AgentLog(logging.Handler):
    """Writes records as lines; see `configure`."""

    def __init__(self, path: Path, *, redactor: Redactor, console: TextIO | None) -> None:
        """Opens nothing before the first record."""
        super().__init__()
        self._path = path
        self._redactor = redactor
        self._console = console
        self._handle: int | None = None
        self._torn = False
        self._said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record; never raises."""
        text = self._lines(record)
        try:
            self._write(text.encode("utf-8", "backslashreplace"))
        except OSError as exc:
            self._say_once(exc, _moment(record.created))
            self._print(text, self._console or sys.stderr)
        else:
            if self._console is not None:
                self._print(text, self._console)

    def close(self) -> None:
        """Closes the file; a later record opens it again."""
        self.acquire()
        try:
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None
        finally:
            self.release()
        super().close()

    def _lines(self, record: logging.LogRecord) -> str:
        start = f"{_moment(record.created)} {record.levelname} {record.name} "
        masked = self._redactor.mask(message_of(record))
        if getattr(record, RAW, False):
            return f"{masked}\n"
        return "".join(f"{start}{line}\n" for line in masked.splitlines() or [""])

    def _write(self, data: bytes) -> None:
        """Appends in one call, so that nothing written by another process comes in between."""
        if self._handle is None:
            self._handle = _open(self._path)
        whole = b"\n" + data if self._torn else data
        written = os.write(self._handle, whole)
        self._torn = written < len(whole)
        if self._torn:
            raise OSError(28, "the line was only written in part")

    def _say_once(self, exc: OSError, now: str) -> None:
        if not self._said:
            line = f"{now} WARNING {__name__} log.not_written path={self._path} error={exc}\n"
            self._print(line, self._console or sys.stderr)
        self._said = True

    def _print(self, text: str, to: TextIO) -> None:
        try:
            to.write(text)
            to.flush()
        except (OSError, ValueError):
            # A console that is gone or closed is no reason to fail.
            return


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def message_of(record: logging.LogRecord) -> str:
    """What the record says, its traceback included; not masked."""
    try:
        text = record.getMessage()
    except Exception as exc:  # noqa: BLE001 - a wrong log call of anyone must not end the run
        text = f"{record.msg} (arguments left out: {exc!r})"
    if record.exc_info and record.exc_info[0] is not None:
        text += "\n" + _TRACEBACKS.formatException(record.exc_info)
    if record.stack_info:
        text += "\n" + record.stack_info
    return text


def _moment(created: float) -> str:
    moment = datetime.fromtimestamp(created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


_TRACEBACKS = logging.Formatter()
