"""Archives of the runner in S3 (contract section 4)."""

import base64
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from agent.archive_stream import ArchiveStream
from agent.cache.transfer import PART_BYTES, Transfer
from agent.errors import DownloadError
from agent.events import event, warning

log = logging.getLogger(__name__)

_MISSES = ("NoSuchKey", "404", "NotFound")
_REFUSALS = ("AccessDenied", "403")
_THERE = ("PreconditionFailed", "412", "ConditionalRequestConflict")


def cache_key(version: str, arch: str) -> str:
    """Where the archive lies in the bucket; a part of the contract."""
    return f"runners/{version}/{arch}/actions-runner-{version}.tar.gz"


class S3Client(Protocol):
    """The calls used of boto3's `s3` client."""

    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...
    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...


class RunnerCache:
    """One bucket."""

    def __init__(self, client: S3Client, bucket: str, *, part_bytes: int = PART_BYTES) -> None:
        """Asks nothing yet.

        Args:
            client: of the bucket's region.
            bucket: its name.
            part_bytes: the size of the ranges that an archive is read by.
        """
        self._client = client
        self._bucket = bucket
        self._part_bytes = part_bytes

    @contextmanager
    def open(self, version: str, arch: str) -> Iterator[ArchiveStream | None]:
        """The cached archive; None for a miss, and for every failure of S3, which is one warning.

        A transfer that breaks later is a DownloadError from its chunks.
        """
        key = cache_key(version, arch)
        with ExitStack() as stack:
            try:
                transfer = stack.enter_context(
                    Transfer(self._client, self._bucket, key, part_bytes=self._part_bytes)
                )
            except (ClientError, BotoCoreError) as exc:
                self._missed(exc, key)
                yield None
                return
            yield ArchiveStream(self._chunks(transfer, key), transfer.size)

    def put(self, version: str, arch: str, path: Path, sha256: str, *, replace: bool) -> bool:
        """Stores an archive with its digest as S3's own checksum and as metadata; best effort.

        Args:
            version: of the runner.
            arch: as GitHub names it.
            path: the archive.
            sha256: lower-case hex, checked by S3 on arrival.
            replace: overwrite what is there; otherwise an object that is there stays.

        Returns:
            Whether the cache holds the archive now.
        """
        only_new = {} if replace else {"IfNoneMatch": "*"}
        try:
            with path.open("rb") as body:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=cache_key(version, arch),
                    Body=body,
                    ContentType="application/gzip",
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                    Metadata={"sha256": sha256},
                    **only_new,
                )
        except ClientError as exc:
            if exc.response["Error"]["Code"] in _THERE:
                return True
            warning(log, "cache.not_filled", bucket=self._bucket, error=exc)
            return False
        except (BotoCoreError, OSError) as exc:
            warning(log, "cache.not_filled", bucket=self._bucket, error=exc)
            return False
        return True

    def _missed(self, exc: Exception, key: str) -> None:
        code = exc.response["Error"]["Code"] if isinstance(exc, ClientError) else ""
        if code in _MISSES:
            event(log, "cache.miss", key=key)
        elif code in _REFUSALS:
            # So S3 answers for an object that is not there, where the role has no s3:ListBucket.
            event(log, "cache.miss", key=key, answer=code)
        else:
            warning(log, "cache.skipped", bucket=self._bucket, key=key, error=exc)

    def _chunks(self, transfer: Transfer, key: str) -> Iterator[bytes]:
        try:
            yield from transfer.chunks()
        except (BotoCoreError, ClientError, HTTPError, OSError) as exc:
            raise DownloadError(
                f"the transfer of s3://{self._bucket}/{key} broke: {exc}",
                mend="GitHub is asked instead; look at the S3 endpoint if it happens again",
            ) from exc
