"""`deployments/publish` as a program, against S3 over HTTP."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent import __version__
from agent.localcloud.aws import AwsServer
from deployments.artefact.publish import publish as upload
from deployments.artefact.publish import read

ROOT = Path(__file__).parents[3]
BUCKET = "runs-fleet-config"
FOLDER = f"agent/{__version__}/x64"
Publish = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(aws: AwsServer) -> Any:
    session = boto3.session.Session("OPERATOR", "secret", region_name="us-east-1")
    resource = session.resource("s3", endpoint_url=aws.url)
    return resource.create_bucket(Bucket=BUCKET)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    write_dist(tmp_path, b"an artefact")
    return tmp_path


@pytest.fixture
def publish(aws: AwsServer, dist: Path, tmp_path: Path) -> Publish:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [ROOT / "deployments/publish", "--bucket", BUCKET, "--dist", dist, *arguments],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(tmp_path),
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_ACCESS_KEY_ID": "PUBLISHER",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
                "AWS_MAX_ATTEMPTS": "1",
            },
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def write_dist(folder: Path, content: bytes, arch: str = "x64") -> None:
    path = folder / f"runs-fleet-agent-{__version__}-{arch}.pex"
    path.write_bytes(content)
    path.with_suffix(".cdx.json").write_text("{}")
    line = subprocess.run(
        ["sha256sum", path.name], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    path.with_name(f"{path.name}.sha256").write_text(line.stdout)


def stored(bucket: Any) -> dict[str, bytes]:
    return {each.key: each.get()["Body"].read() for each in bucket.objects.all()}


def test_everything_that_an_instance_fetches_is_put_and_latest_points_at_it(
    publish: Publish, bucket: Any, dist: Path
) -> None:
    done = publish("--arch", "x64")
    assert (done.returncode, done.stderr.count("put: ")) == (0, 4), done.stderr
    there = stored(bucket)
    digest = (dist / f"runs-fleet-agent-{__version__}-x64.pex.sha256").read_text().split()[0]
    assert there == {
        f"{FOLDER}/runs-fleet-agent.pex": b"an artefact",
        f"{FOLDER}/runs-fleet-agent.pex.sha256": f"{digest}  runs-fleet-agent.pex\n".encode(),
        f"{FOLDER}/runs-fleet-agent.cdx.json": b"{}",
        f"{FOLDER}/install.sh": (ROOT / "deployments/install/install.sh").read_bytes(),
        "agent/latest/x64": f"{__version__} {digest}\n".encode(),
    }
    assert f'agent_sha256   = "{digest}"' in done.stdout
    assert f'agent_version  = "{__version__}"' in done.stdout
    assert "install_sha256" in done.stdout


def test_s3_holds_the_digest_as_its_own_checksum(publish: Publish, bucket: Any) -> None:
    publish("--arch", "x64")
    head = bucket.meta.client.head_object(
        Bucket=BUCKET, Key=f"{FOLDER}/runs-fleet-agent.pex", ChecksumMode="ENABLED"
    )
    assert head["ChecksumSHA256"]


class Recorder:
    """An S3 that takes everything and remembers the order."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def put_object(self, **kwargs: Any) -> dict[str, Any]:
        self.keys.append(kwargs["Key"])
        return {}

    def head_object(self, **kwargs: Any) -> dict[str, Any]:
        raise AssertionError(kwargs)


def test_no_pointer_is_moved_before_every_architecture_is_there(tmp_path: Path) -> None:
    for arch in ("x64", "arm64"):
        write_dist(tmp_path, b"an artefact", arch)
    recorder = Recorder()
    releases = [read(tmp_path, arch, __version__) for arch in ("x64", "arm64")]
    assert len(list(upload(recorder, BUCKET, releases))) == 10
    assert recorder.keys[8:] == ["agent/latest/x64", "agent/latest/arm64"]


def test_what_s3_refuses_is_one_line_and_moves_no_pointer(
    publish: Publish, bucket: Any, aws: AwsServer
) -> None:
    aws.faults.fail("s3", "PutObject", status=403, code="AccessDenied")
    refused = publish("--arch", "x64")
    assert refused.returncode == 1
    assert refused.stderr.startswith("publish: s3:PutObject on s3://")
    assert refused.stderr.count("\n") == 1
    assert stored(bucket) == {}


def test_to_publish_the_same_again_changes_nothing(publish: Publish, bucket: Any) -> None:
    publish("--arch", "x64")
    before = stored(bucket)
    again = publish("--arch", "x64")
    assert again.returncode == 0
    assert again.stderr.count("there already: ") == 4
    assert stored(bucket) == before


def test_a_version_that_is_there_is_never_overwritten(
    publish: Publish, bucket: Any, dist: Path
) -> None:
    publish("--arch", "x64")
    before = stored(bucket)
    write_dist(dist, b"another artefact of the same version")
    refused = publish("--arch", "x64")
    assert refused.returncode == 1
    assert "a version never changes; raise the version" in refused.stderr
    assert stored(bucket) == before


def test_a_dry_run_puts_nothing_and_says_what_is_there(
    publish: Publish, bucket: Any, dist: Path
) -> None:
    assert publish("--arch", "x64", "--dry-run").stderr.count("would be put: ") == 4
    assert stored(bucket) == {}
    publish("--arch", "x64")
    assert publish("--arch", "x64", "--dry-run").stderr.count("there already: ") == 4
    write_dist(dist, b"another artefact of the same version")
    assert publish("--arch", "x64", "--dry-run").returncode == 1


def test_what_was_not_built_or_was_damaged_is_not_published(
    publish: Publish, bucket: Any, dist: Path
) -> None:
    missing = publish()
    assert missing.returncode == 1
    assert "arm64.pex" in missing.stderr
    assert "run `make artefact`" in missing.stderr
    (dist / f"runs-fleet-agent-{__version__}-x64.pex").write_bytes(b"damaged")
    damaged = publish("--arch", "x64")
    assert "is not what its .sha256 says" in damaged.stderr
    assert stored(bucket) == {}
