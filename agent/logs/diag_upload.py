"""The runner's `_diag` logs to S3, one gzip a file (contract section 3)."""

import gzip
import io
import logging
import os
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, BinaryIO, Literal, Protocol, get_args

from botocore.exceptions import BotoCoreError, ClientError

from agent.aws_errors import translate
from agent.deadline import Deadline
from agent.events import event, warning
from agent.held import MAX_ENTRIES, Folder, open_in

log = logging.getLogger(__name__)

Upload = Literal["uploaded", "partial", "failed", "skipped", "disabled"]
"""As in the final message: all files, some, none, there were none, nobody wants them."""
UPLOADS: Mapping[str, Upload] = {each: each for each in get_args(Upload)}

DEFAULT_PREFIX = "runner-logs/"
MAX_BYTES = 64 * 1024 * 1024
"""Read in all. The runner begins a new file every 8 MB."""
MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of one file its end: what happened last says why it ended."""
GZIP_LEVEL = 4


class S3Client(Protocol):
    """The call used of boto3's `s3` client."""

    def put_object(self, **kwargs: Any) -> Any: ...


class DiagUpload:
    """Where the files of one run go."""

    def __init__(
        self, client: S3Client, bucket: str, prefix: str, *, mask: Callable[[bytes], bytes]
    ) -> None:
        """Asks nothing yet.

        Args:
            client: boto3's.
            bucket: as the runner config names it.
            prefix: what every key begins with; ends in a slash.
            mask: takes the secrets out of each line.
        """
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._mask = mask

    def upload(self, diag: Folder, deadline: Deadline) -> Upload:
        """Sends every `*.log` of the folder, the newest first; never raises. No symlink is followed: a job may have put it there."""
        sent = failed = 0
        left = MAX_BYTES
        try:
            with diag.opened() as folder:
                for name in _newest_first(folder):
                    if deadline.expired or left <= 0:
                        failed += 1
                        continue
                    size = self._send(folder, name, min(left, MAX_FILE_BYTES))
                    left -= size or 0
                    sent, failed = sent + (size is not None), failed + (size is None)
        except OSError as exc:
            event(log, "diag.not_there", path=diag.path, error=exc)
        if failed:
            warning(log, "diag.incomplete", uploaded=sent, left=failed, bucket=self._bucket)
            return "partial" if sent else "failed"
        if sent:
            event(log, "diag.uploaded", files=sent, to=f"s3://{self._bucket}/{self._prefix}")
        return "uploaded" if sent else "skipped"

    def _send(self, folder: int, name: str, most_bytes: int) -> int | None:
        """Bytes of the file that were read; None when it could not be sent."""
        try:
            with os.fdopen(open_in(folder, name), "rb") as file:
                size = min(os.fstat(file.fileno()).st_size, most_bytes)
                file.seek(-size, os.SEEK_END)
                # Once: somebody may go on writing.
                body = self._packed(io.BytesIO(file.read(size)))
        except OSError as exc:
            warning(log, "diag.unreadable", file=name, error=exc)
            return None
        key = f"{self._prefix}{name}.gz"
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="text/plain; charset=utf-8",
                ContentEncoding="gzip",
            )
        except (ClientError, BotoCoreError) as exc:
            error = translate(exc, call="s3:PutObject", resource=f"s3://{self._bucket}/{key}")
            warning(log, "diag.not_sent", file=name, error=error)
            return None
        return size

    def _packed(self, file: BinaryIO) -> bytes:
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as to:
            for line in file:
                to.write(self._mask(line))
        return packed.getvalue()


def key_prefix(prefix: str, run_id: str, instance_id: str) -> str:
    """`{prefix}/{run id}/{instance id}/`; with an empty prefix `runner-logs/`."""
    return f"{(prefix or DEFAULT_PREFIX).strip('/')}/{run_id}/{instance_id}/"


def _newest_first(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        found = [
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
            for entry in islice(entries, MAX_ENTRIES)
            if entry.name.endswith(".log") and entry.is_file(follow_symlinks=False)
        ]
    return [name for _, name in sorted(found, reverse=True)]
