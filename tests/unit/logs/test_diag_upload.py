"""`_diag` in S3: real HTTP, real files, and what a job may have put in their place."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.held import Folder
from agent.localcloud.aws import AwsServer
from agent.logs import diag_upload
from agent.logs.diag_upload import DiagUpload, key_prefix
from agent.redact import Redactor
from tests.fakes_logs import refusal

BUCKET, PREFIX = "logs-bucket", "runner-logs/4711/i-1/"
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = AwsServer()
    server.start()
    client = boto3.client(
        "s3",
        region_name="eu-central-1",
        endpoint_url=server.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}),
    )
    where = {"LocationConstraint": "eu-central-1"}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    yield client
    server.stop()


@pytest.fixture
def diag(tmp_path: Path) -> Path:
    folder = tmp_path / "_diag"
    folder.mkdir()
    return folder


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def to(client: Any, *secrets: str, prefix: str = PREFIX) -> DiagUpload:
    redactor = Redactor()
    redactor.add(*secrets)
    return DiagUpload(client, BUCKET, prefix, mask=redactor.mask_bytes)


def text_of(s3: Any, key: str) -> str:
    found = s3.get_object(Bucket=BUCKET, Key=key)
    assert found["ContentEncoding"] == "gzip"
    return gzip.decompress(found["Body"].read()).decode()


def keys(s3: Any, prefix: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [entry["Key"].removeprefix(prefix) for entry in found]


def test_each_log_is_a_gzip_with_its_secrets_masked(s3: Any, diag: Path) -> None:
    (diag / "Runner_1-utc.log").write_text("token AABBCCDDEE\nlast line without an end")
    (diag / "Worker_1-utc.log").write_text("worker\n")
    (diag / "notes.txt").write_text("no log")
    assert to(s3, "AABBCCDDEE").upload(Folder.at(diag), soon()) == "uploaded"
    assert keys(s3, PREFIX) == ["Runner_1-utc.log.gz", "Worker_1-utc.log.gz"]
    said = text_of(s3, f"{PREFIX}Runner_1-utc.log.gz")
    assert said == "token ***\nlast line without an end"


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None], ids=["empty", "missing"])
def test_where_there_is_nothing_it_is_skipped(
    make: Callable[[Path], None], s3: Any, tmp_path: Path
) -> None:
    make(tmp_path / "none")
    assert to(s3, prefix="none/").upload(Folder.at(tmp_path / "none"), soon()) == "skipped"


def test_no_file_of_the_machine_can_be_had_through_links(
    s3: Any, diag: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("the machine's own")
    (diag / "link.log").symlink_to(tmp_path / "secret")
    os.mkfifo(diag / "pipe.log")
    (diag / "folder.log").mkdir()
    (tmp_path / "linked").symlink_to(diag)
    assert to(s3, prefix="links/").upload(Folder.at(diag), soon()) == "skipped"
    (diag / "true.log").write_text("true\n")
    assert to(s3, prefix="links/").upload(Folder.at(tmp_path / "linked"), soon()) == "skipped"
    assert keys(s3, "links/") == []


def test_of_a_large_file_the_end_is_sent(
    s3: Any, diag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diag_upload, "MAX_FILE_BYTES", 10)
    (diag / "a.log").write_text("0123456789abcde")
    assert to(s3, prefix="large/").upload(Folder.at(diag), soon()) == "uploaded"
    assert text_of(s3, "large/a.log.gz") == "56789abcde"


def test_when_the_time_is_over_the_rest_is_left(s3: Any, diag: Path) -> None:
    (diag / "a.log").write_text("a\n")
    assert to(s3, prefix="late/").upload(Folder.at(diag), soon(0)) == "failed"
    assert keys(s3, "late/") == []


class Refuses:
    """Takes some files and refuses others."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def put_object(self, *, Key: str, **_: Any) -> None:  # noqa: N803
        if any(name in Key for name in self.names):
            raise refusal("AccessDenied", 403)


@pytest.mark.parametrize(
    ("refused", "upload"), [(("a.log",), "partial"), (("a.log", "b.log"), "failed")]
)
def test_what_s3_refuses_is_counted_and_named(
    refused: tuple[str, ...], upload: str, diag: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.log", "b.log"):
        (diag / name).write_text("x\n")
    assert to(Refuses(*refused)).upload(Folder.at(diag), soon()) == upload
    assert "s3:PutObject" in caplog.text
    assert "a.log" in caplog.text


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        ("", "runner-logs/4711/i-1/"),
        ("mine", "mine/4711/i-1/"),
        ("/a/b/", "a/b/4711/i-1/"),
    ],
)
def test_keys_begin_with_prefix_run_and_instance(prefix: str, key: str) -> None:
    assert key_prefix(prefix, "4711", "i-1") == key
