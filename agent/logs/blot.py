"""Takes secrets out of a spool file itself: a runner may print one, and the file stays until the instance ends."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def blot(path: Path, start: int, end: int, spans: Callable[[str], list[tuple[int, int]]]) -> None:
    """Writes `*` over every secret in a part of the file; its length stays, for others append to it. Best effort.

    Args:
        path: the agent's own file: no job can write into it.
        start: in bytes.
        end: in bytes, behind the last one.
        spans: from where to where secrets are in a text.
    """
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            text = os.pread(descriptor, end - start, start).decode("utf-8", "surrogateescape")
            for begin, stop in spans(text):
                at = start + len(text[:begin].encode("utf-8", "surrogateescape"))
                size = len(text[begin:stop].encode("utf-8", "surrogateescape"))
                os.pwrite(descriptor, b"*" * size, at)
        finally:
            os.close(descriptor)
