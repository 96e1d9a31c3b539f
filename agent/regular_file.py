"""Reads a file that somebody else may have replaced."""

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 1024 * 1024


def read_regular(path: Path) -> bytes:
    """The first MiB of a file whose directory is a job's, who may have put anything in its place: a link, or a pipe without a writer.

    Raises:
        OSError: it cannot be read, or is no regular file; it is never waited for.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as reader:
        if not stat.S_ISREG(os.fstat(reader.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return reader.read(LARGEST_BYTES)
