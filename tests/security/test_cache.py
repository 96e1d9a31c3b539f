"""Row 5: who may write to the bucket gains nothing: what came out of it is executed only when its digest is the published one."""

import asyncio
import gzip
import hashlib
import io
import logging
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cache.s3 import RunnerCache, cache_key
from agent.errors import DownloadError
from agent.localcloud.cloud import BUCKET
from agent.stages.download import Source
from agent.stages.verify import fill_cache
from flows.pipeline import place_runner
from tasks.calling import plainly
from tests.unit.stages.conftest import Machine

EVIL = b"#!/bin/bash\ntouch /tmp/owned\n"
VERSION, ARCH = "2.336.0", "x64"


def evil_archive(good: bytes) -> bytes:
    """The runner with another `run.sh`; everything else as it was."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(good)) as source, tarfile.open(fileobj=out, mode="w:gz") as to:  # fmt: skip
        for member in source:
            content = source.extractfile(member)
            data = content.read() if content else b""
            if member.name.endswith("run.sh"):
                data, member.size = EVIL, len(EVIL)
            to.addfile(member, io.BytesIO(data))
    return out.getvalue()


def escaping_archive(_: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as to:
        link = tarfile.TarInfo("./out")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        to.addfile(link)
        inside = tarfile.TarInfo("./out/owned")
        inside.size = len(EVIL)
        to.addfile(inside, io.BytesIO(EVIL))
    return out.getvalue()


def bomb(_: bytes) -> bytes:
    return gzip.compress(bytes(80 << 20), compresslevel=9)


POISON: dict[str, Callable[[bytes], bytes]] = {
    "another run.sh": evil_archive,
    "a link out of the tree": escaping_archive,
    "a bomb": bomb,
    "cut short": lambda good: good[: len(good) // 2],
    "one byte more": lambda good: good + b"\0",
    "a second archive behind the first": lambda good: good + evil_archive(good),
    "nothing": lambda _: b"",
    "no archive": lambda _: b"<html>" * 1000,
}


@pytest.mark.parametrize("what", POISON)
def test_a_poisoned_object_is_reported_replaced_and_costs_only_time(
    machine: Machine, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    good = machine.archive.path.read_bytes()
    poison = POISON[what](good)
    # The metadata lies: it is that of the good one.
    machine.cloud.put_cached(poison, sha256=machine.archive.sha256)
    run = machine.run()
    with caplog.at_level(logging.WARNING):
        staged = asyncio.run(place_runner(run, plainly))
    assert staged.source is Source.GITHUB
    assert_the_published_runner_is_in_its_place(machine)
    said = [record.getMessage().split()[0] for record in caplog.records]
    assert {"runner.digest_mismatch", "cache.skipped"} & set(said)
    assert fill_cache(run, staged)
    (stored,) = machine.cloud.stored("runners/").values()
    if stored == poison:
        # It was taken for a transfer that broke: the object stays, and stays harmless.
        assert what == "nothing"
    else:
        assert hashlib.sha256(stored).hexdigest() == machine.archive.sha256


def assert_the_published_runner_is_in_its_place(machine: Machine) -> None:
    assert (machine.runner_dir / "run.sh").read_bytes() != EVIL
    assert (machine.runner_dir / "bin" / "Runner.Listener").exists()
    assert not list(machine.workdir.parent.rglob("owned"))


def test_a_digest_in_the_metadata_counts_for_nothing(machine: Machine) -> None:
    """An archive that brings its own true digest along is still not the published one."""
    evil = evil_archive(machine.archive.path.read_bytes())
    machine.cloud.put_cached(evil, sha256=hashlib.sha256(evil).hexdigest())
    assert asyncio.run(place_runner(machine.run(), plainly)).source is Source.GITHUB
    assert_the_published_runner_is_in_its_place(machine)


def test_a_good_object_is_not_overwritten_by_an_instance_that_missed_it(machine: Machine) -> None:
    """Two instances at once: the later one's upload must not take the place of the first one's."""
    run = machine.run()
    staged = asyncio.run(place_runner(run, plainly))
    first = b"what another instance has put there meanwhile"
    machine.cloud.put_cached(first, sha256=None)
    assert fill_cache(run, staged)
    assert list(machine.cloud.stored("runners/").values()) == [first]


class Lies:
    """An S3 whose later ranges are not what was asked for."""

    def __init__(self, real: Any, lie: Callable[[bytes], bytes]) -> None:
        self._real = real
        self._lie = lie

    def get_object(self, **kwargs: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._real.get_object(**kwargs)
        if not kwargs["Range"].startswith("bytes=0-"):
            answer["Body"] = Body(self._lie(answer["Body"].read()))
        return answer

    def put_object(self, **kwargs: Any) -> dict[str, Any]:
        raise NotImplementedError


class Body:
    """As botocore's."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def iter_chunks(self, size: int) -> Any:
        return (self._data[at : at + size] for at in range(0, len(self._data), size))

    def close(self) -> None:
        pass


@pytest.fixture
def cached(machine: Machine) -> Any:
    """A client of the bucket with the good archive in it."""
    machine.cloud.put_cached(machine.archive.path, sha256=machine.archive.sha256)
    return machine.run().clients.get("s3")


def read(cache: RunnerCache) -> bytes:
    with cache.open(VERSION, ARCH) as stream:
        assert stream is not None
        return b"".join(stream.chunks)


def test_a_range_that_brings_more_than_was_asked_for_does_not_fill_the_memory(cached: Any) -> None:
    lying = RunnerCache(Lies(cached, lambda data: data * 1000), BUCKET, part_bytes=10_000)
    with pytest.raises(DownloadError, match="more came than the range"):
        read(lying)


def test_an_object_that_is_overwritten_between_two_ranges_is_given_up(
    machine: Machine, cached: Any
) -> None:
    cache = RunnerCache(cached, BUCKET, part_bytes=5_000)
    evil = evil_archive(machine.archive.path.read_bytes())
    with cache.open(VERSION, ARCH) as stream:
        assert stream is not None
        machine.cloud.put_cached(evil, sha256=machine.archive.sha256)
        with pytest.raises(DownloadError, match="PreconditionFailed"):
            list(stream.chunks)


def test_the_key_cannot_lead_elsewhere() -> None:
    assert Path(cache_key(VERSION, ARCH)).parts[:3] == ("runners", VERSION, ARCH)
