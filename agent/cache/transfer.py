"""An object of S3 as chunks in order, read by ranges beside each other: one connection to S3 is slower than an instance's disk.

Not by s3transfer, which asks with a HEAD first: that answers nothing but 404 or 403, whatever is wrong, and costs a round trip.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Protocol, Self

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

CHUNK_BYTES = 256 * 1024
"""A chunk is waited for until it is whole: small ones let a slow trickle see a stop."""
PART_BYTES = 4 * 1024 * 1024
PARTS_AHEAD = 3
"""Under way or waiting for their turn, in memory."""
TRIES = 3
"""Of one range, where its transfer breaks."""
_BROKEN = (BotoCoreError, HTTPError, OSError)
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class GetObject(Protocol):
    """The call used of boto3's `s3` client."""

    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...


class Transfer:
    """A context manager, entered once the object was found; leaving it ends what is under way."""

    def __init__(
        self, client: GetObject, bucket: str, key: str, *, part_bytes: int = PART_BYTES
    ) -> None:
        """Asks for the first range.

        Raises:
            botocore.exceptions.ClientError: it is not there, or S3 refuses.
            botocore.exceptions.BotoCoreError: S3 did not answer.
        """
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._part_bytes = part_bytes
        self._left = threading.Event()
        self._first = client.get_object(**self._where, Range=f"bytes=0-{part_bytes - 1}")
        total = _TOTAL.fullmatch(self._first.get("ContentRange") or "")
        self.size: int | None = int(total[1]) if total else self._first.get("ContentLength")
        """In bytes. Something that knows no ranges has given all of it at once."""
        self._ranged_to = int(total[1]) if total else 0
        self._pool = ThreadPoolExecutor(PARTS_AHEAD, thread_name_prefix="s3")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._first["Body"].close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def chunks(self) -> Iterator[bytes]:
        """In order, to the end.

        Raises:
            botocore.exceptions.ClientError: S3 refuses a later range, as when the object was replaced meanwhile.
            Exception: one of botocore's, urllib3's or the system's, when a transfer broke.
        """
        starts = iter(range(self._part_bytes, self._ranged_to, self._part_bytes))
        ahead: deque[Future[list[bytes]]] = deque()
        ahead.extend(self._pool.submit(self._part, start) for start in islice(starts, PARTS_AHEAD))
        yield from self._first["Body"].iter_chunks(CHUNK_BYTES)
        while ahead:
            chunks = ahead.popleft().result()
            if (start := next(starts, -1)) > 0:
                ahead.append(self._pool.submit(self._part, start))
            yield from chunks

    def _part(self, start: int) -> list[bytes]:
        for attempt in range(1, TRIES + 1):
            try:
                return self._read(start)
            except _BROKEN:
                if attempt == TRIES or self._left.is_set():
                    raise
        raise AssertionError("a range has at least one try")

    def _read(self, start: int) -> list[bytes]:
        stop = min(start + self._part_bytes, self._ranged_to)
        # Two versions of an object make no archive.
        same = {"IfMatch": self._first["ETag"]} if self._first.get("ETag") else {}
        answer = self._client.get_object(**self._where, Range=f"bytes={start}-{stop - 1}", **same)
        body = answer["Body"]
        try:
            chunks, size = [], 0
            for chunk in body.iter_chunks(CHUNK_BYTES):
                size += len(chunk)
                if self._left.is_set():
                    break
                if size > stop - start:
                    raise OSError("more came than the range that was asked for")
                chunks.append(chunk)
        finally:
            body.close()
        return chunks
