"""`python -m benchmarks.boot.unpack URL SHA256 INTO [s3]`: the agent's way from a socket to a tree, alone; prints seconds and memory as JSON."""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import boto3
import httpx

from agent.archive.fetch import open_url
from agent.archive.unpack import unpack
from agent.archive_stream import ArchiveStream
from agent.cache.s3 import RunnerCache
from agent.clock import SystemClock
from benchmarks.boot.process import Tree

LOOK_SECONDS = 0.1


class Peak:
    """The most memory that this process and those below it have at once, while the block lasts."""

    def __enter__(self) -> Self:
        self._tree, self._over = Tree(os.getpid()), threading.Event()
        self._before = self.most_mb = self._tree.pss_mb()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.most_mb -= self._before

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.most_mb = max(self.most_mb, self._tree.pss_mb())


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
    with source(url, by_s3=by_s3) as stream:
        with Peak() as peak:
            began = time.monotonic()
            done = unpack(
                stream.chunks, into, clock=SystemClock(), size=stream.size, stop=threading.Event()
            )
        seconds = time.monotonic() - began
    assert done.sha256 == sha256  # noqa: S101
    here, beside = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": sum(used.ru_utime + used.ru_stime for used in (here, beside)),
                "peak_mb": peak.most_mb,
                "members": done.members,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), by_s3="s3" in sys.argv[4:])
