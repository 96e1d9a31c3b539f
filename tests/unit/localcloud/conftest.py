import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config


@dataclass(frozen=True)
class PlainArchive:
    """Bytes that pass for a runner archive as far as a cloud cares."""

    path: Path
    sha256: str
    size: int
    version: str = "2.336.0"
    arch: str = "x64"
    name: str = "actions-runner-linux-x64-2.336.0.tar.gz"


@pytest.fixture(scope="session")
def plain_archive(tmp_path_factory: pytest.TempPathFactory) -> PlainArchive:
    data = hashlib.shake_128(b"an archive").digest(1_000_000)
    path = tmp_path_factory.mktemp("archive") / "runner.tar.gz"
    path.write_bytes(data)
    return PlainArchive(path, hashlib.sha256(data).hexdigest(), len(data))


@pytest.fixture(scope="session")
def make_client() -> Any:
    """Clients such as the agent's, but without retries, so that each fault shows."""

    session = boto3.session.Session("AGENT", "secret", region_name="eu-central-1")

    def make(url: str, service: str, *, read_timeout: float = 10, attempts: int = 1) -> Any:
        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            read_timeout=read_timeout,
            connect_timeout=3,
        )
        return session.client(service, endpoint_url=url, config=config)

    return make
