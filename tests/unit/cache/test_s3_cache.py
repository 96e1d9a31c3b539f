"""The runner cache on moto's S3 over real HTTP, and on a socket that breaks."""

import base64
import hashlib
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from agent.cache.s3 import RunnerCache, cache_key
from agent.cache.transfer import CHUNK_BYTES
from agent.errors import DownloadError
from tests.fakes_logs import refusal

BUCKET = "runner-cache"
VERSION, ARCH = "2.336.0", "x64"
KEY = "runners/2.336.0/x64/actions-runner-2.336.0.tar.gz"
DATA = bytes(range(256)) * 2048
DIGEST = hashlib.sha256(DATA).hexdigest()


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=2,
            s3={"addressing_style": "path"},
        ),
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str) -> Any:
    client = client_of(endpoint)
    where = {"LocationConstraint": "eu-central-1"}
    # moto keeps one state a process, so an earlier test may have made it.
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    client.delete_object(Bucket=BUCKET, Key=KEY)
    return client


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "kept.tar.gz"
    path.write_bytes(DATA)
    return path


def got(cache: RunnerCache) -> bytes | None:
    with cache.open(VERSION, ARCH) as stream:
        return b"".join(stream.chunks) if stream is not None else None


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Level and name of each event of ours; moto's server logs in this process too."""
    ours = [record for record in caplog.records if record.name.startswith("agent.")]
    return [f"{record.levelname} {record.getMessage().split()[0]}" for record in ours]


def put(cache: RunnerCache, path: Path, *, replace: bool = False) -> bool:
    return cache.put(VERSION, ARCH, path, DIGEST, replace=replace)


def test_the_key_is_that_of_the_contract() -> None:
    assert cache_key(VERSION, ARCH) == KEY


def test_what_was_put_comes_back_with_its_size_in_small_chunks(s3: Any, archive: Path) -> None:
    cache = RunnerCache(s3, BUCKET)
    assert put(cache, archive)
    with cache.open(VERSION, ARCH) as stream:
        assert stream is not None
        assert stream.size == len(DATA)
        chunks = list(stream.chunks)
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) <= CHUNK_BYTES


def test_the_digest_goes_along_as_s3s_checksum_and_as_metadata(s3: Any, archive: Path) -> None:
    sent: list[dict[str, bytes]] = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers)))  # fmt: skip
    put(RunnerCache(s3, BUCKET), archive)
    checksums = {key.lower(): v for key, v in sent[0].items() if key.lower().startswith("x-amz-checksum-")}  # fmt: skip
    assert checksums == {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(DIGEST))}
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"] == {"sha256": DIGEST}


def test_nothing_there_is_a_quiet_miss(s3: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert got(RunnerCache(s3, BUCKET)) is None
    assert logged(caplog) == ["INFO cache.miss"]


def test_what_a_role_without_s3_list_bucket_is_told_of_nothing_is_a_quiet_miss_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Refusing:
        def get_object(self, **_: Any) -> dict[str, Any]:
            raise refusal("AccessDenied", 403)

        put_object = get_object

    caplog.set_level(logging.INFO)
    assert got(RunnerCache(Refusing(), BUCKET)) is None
    assert logged(caplog) == ["INFO cache.miss"]
    assert "answer=AccessDenied" in caplog.text


def test_a_bucket_that_does_not_exist_is_a_miss_with_one_warning(
    s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert got(RunnerCache(s3, "no-such-bucket")) is None
    assert logged(caplog) == ["WARNING cache.skipped"]
    assert "NoSuchBucket" in caplog.text


def test_an_s3_that_is_not_there_is_a_miss_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert got(RunnerCache(client_of("http://127.0.0.1:9"), BUCKET)) is None
    assert logged(caplog) == ["WARNING cache.skipped"]


def test_what_is_there_stays_unless_it_is_to_be_replaced(s3: Any, archive: Path) -> None:
    cache = RunnerCache(s3, BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"poison")
    assert put(cache, archive)
    assert got(cache) == b"poison"
    assert put(cache, archive, replace=True)
    assert got(cache) == DATA


def test_a_cache_that_cannot_be_filled_is_one_warning(
    s3: Any, archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not put(RunnerCache(s3, "no-such-bucket"), archive)
    assert not put(RunnerCache(client_of("http://127.0.0.1:9"), BUCKET), archive)
    assert not put(RunnerCache(s3, BUCKET), archive.with_name("gone"))
    assert logged(caplog) == ["WARNING cache.not_filled"] * 3


def serve_once(answer: bytes, listener: socket.socket, over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)
        over.wait(10)


@pytest.mark.parametrize("silent", [False, True], ids=["closed", "silent"])
def test_a_transfer_that_breaks_is_a_download_error_after_what_came(*, silent: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (CHUNK_BYTES * 2)
    over = threading.Event()
    if not silent:
        over.set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(
            target=serve_once, args=(head + bytes(CHUNK_BYTES + 1000), listener, over)
        )
        server.start()
        cache = RunnerCache(client_of(f"http://127.0.0.1:{listener.getsockname()[1]}"), BUCKET)
        with cache.open(VERSION, ARCH) as stream:
            assert stream is not None
            assert len(next(stream.chunks)) == CHUNK_BYTES
            with pytest.raises(DownloadError, match=f"s3://{BUCKET}/{KEY} broke") as caught:
                list(stream.chunks)
        over.set()
        server.join(10)
    assert caught.value.transient


@pytest.mark.parametrize("part_bytes", [1000, 65_536, len(DATA) - 1, len(DATA), len(DATA) + 1])
def test_ranges_of_any_size_come_back_in_order(s3: Any, archive: Path, part_bytes: int) -> None:
    cache = RunnerCache(s3, BUCKET, part_bytes=part_bytes)
    put(cache, archive)
    with cache.open(VERSION, ARCH) as stream:
        assert stream is not None
        assert stream.size == len(DATA)
        assert b"".join(stream.chunks) == DATA


def test_an_archive_that_is_replaced_while_it_is_read_is_a_download_error(
    s3: Any, archive: Path
) -> None:
    cache = RunnerCache(s3, BUCKET, part_bytes=30_000)
    put(cache, archive)
    with cache.open(VERSION, ARCH) as stream:
        assert stream is not None
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=DATA[::-1])
        with pytest.raises(DownloadError, match="PreconditionFailed"):
            list(stream.chunks)


def test_a_range_that_breaks_is_asked_for_again(s3: Any, archive: Path) -> None:
    put(RunnerCache(s3, BUCKET), archive)
    broken: list[str] = []

    class Breaks:
        """S3, but each later range breaks once in the midst of it."""

        def get_object(self, **kwargs: Any) -> dict[str, Any]:
            answer: dict[str, Any] = s3.get_object(**kwargs)
            if not kwargs["Range"].startswith("bytes=0-") and kwargs["Range"] not in broken:
                broken.append(kwargs["Range"])
                answer["Body"].read(100)
                answer["Body"].close()
                raise ConnectionResetError
            return answer

        def put_object(self, **kwargs: Any) -> dict[str, Any]:
            raise NotImplementedError

    assert got(RunnerCache(Breaks(), BUCKET, part_bytes=100_000)) == DATA
    assert len(broken) == len(DATA) // 100_000


class UnreadBody:
    """A body that only tells whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_leaving_early_ends_the_transfer() -> None:
    body = UnreadBody()

    class Client:
        def get_object(self, **kwargs: Any) -> dict[str, Any]:
            return {"Body": body, "ContentLength": 1 << 40}

        def put_object(self, **kwargs: Any) -> dict[str, Any]:
            raise NotImplementedError

    with RunnerCache(Client(), BUCKET).open(VERSION, ARCH) as stream:
        assert stream is not None
    assert body.closed
