"""An archive as it comes in, from whatever source: GitHub over HTTP, S3, a file."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveStream:
    """The compressed bytes, once, in order."""

    chunks: Iterator[bytes]
    """Raises DownloadError where the transfer breaks."""
    size: int | None
    """In bytes, as announced; None where the source did not say."""
