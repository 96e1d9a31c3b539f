"""`python -m benchmarks.boot.unpack URL SHA256 INTO [s3]`: the agent's way from a socket to a tree, alone; prints seconds and memory as JSON."""

import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx

from agent.archive.fetch import open_url
from agent.archive.unpack import unpack
from agent.archive_stream import ArchiveStream
from agent.cache.s3 import RunnerCache
from agent.clock import SystemClock


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@contextmanager
def source(url: str, *, by_s3: bool) -> Iterator[ArchiveStream]:
    if not by_s3:
        with (
            httpx.Client(trust_env=False) as client,
            open_url(client, url, expected_size=None, wait=lambda _: True) as stream,
        ):
            yield stream
        return
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - nobody looks at it
    )
    with RunnerCache(client, "bucket").open("1", "x64") as cached:
        assert cached is not None  # noqa: S101
        yield cached


def main(url: str, sha256: str, into: Path, *, by_s3: bool) -> None:
    before = peak_mb()
    began = time.monotonic()
    with source(url, by_s3=by_s3) as stream:
        done = unpack(
            stream.chunks,
            into,
            clock=SystemClock(),
            size=stream.size,
            stop=threading.Event(),
        )
    assert done.sha256 == sha256  # noqa: S101
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "peak_mb": peak_mb() - before,
                "members": done.members,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), by_s3="s3" in sys.argv[4:])
