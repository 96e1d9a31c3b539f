"""`deployments/publish`: the artefact to s3://{bucket}/agent/{version}/{arch}/, and the pointer to the latest.

A version is immutable: what is there already stays, and must be the same. The pointers are moved last.
"""

import base64
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from agent import __version__
from agent.arguments import Parser
from agent.aws_errors import in_words
from deployments.artefact.targets import MACHINES
from deployments.artefact.wheels import ROOT

NAME = "runs-fleet-agent"
INSTALL = ROOT / "deployments/install/install.sh"
_THERE = ("PreconditionFailed", "412", "ConditionalRequestConflict")
_NOT_THERE = ("NoSuchKey", "404", "NotFound")


class PublishError(Exception):
    """It cannot be published; one line says what and how to mend it."""


class S3Client(Protocol):
    """The calls used of boto3's `s3` client."""

    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...
    def head_object(self, **kwargs: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Thing:
    """One object to be published."""

    key: str
    body: bytes
    content_type: str

    @property
    def checksum(self) -> str:
        """SHA-256, as S3 has it: base64."""
        return base64.b64encode(hashlib.sha256(self.body).digest()).decode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Release:
    """One version for one architecture."""

    arch: str
    version: str
    things: tuple[Thing, ...]
    """The artefact first, install.sh last."""

    @property
    def pointer(self) -> Thing:
        """What `agent/latest/{arch}` is to be: version and SHA-256 on one line."""
        text = f"{self.version} {self.things[0].sha256}\n"
        return Thing(f"agent/latest/{self.arch}", text.encode(), "text/plain")


def read(dist: Path, arch: str, version: str, install: Path = INSTALL) -> Release:
    """Reads what `make artefact` left.

    Raises:
        PublishError: a file is missing, or the artefact is not what its `.sha256` says.
    """
    path = dist / f"{NAME}-{version}-{arch}.pex"
    try:
        artefact, bill = path.read_bytes(), path.with_suffix(".cdx.json").read_bytes()
        said = path.with_name(f"{path.name}.sha256").read_text().split()[0]
        script = install.read_bytes()
    except (OSError, IndexError) as exc:
        raise PublishError(f"{exc}; run `make artefact`") from exc
    folder = f"agent/{version}/{arch}"
    pex = Thing(f"{folder}/{NAME}.pex", artefact, "application/zip")
    if pex.sha256 != said:
        raise PublishError(f"{path} is not what its .sha256 says; run `make artefact`")
    digest = f"{said}  {NAME}.pex\n".encode()
    return Release(
        arch,
        version,
        (
            pex,
            Thing(f"{folder}/{NAME}.pex.sha256", digest, "text/plain"),
            Thing(f"{folder}/{NAME}.cdx.json", bill, "application/vnd.cyclonedx+json"),
            Thing(f"{folder}/install.sh", script, "text/x-shellscript"),
        ),
    )


def publish(client: S3Client, bucket: str, releases: Sequence[Release]) -> Iterator[str]:
    """Puts all of them, the pointers last; what was done, line by line.

    Raises:
        PublishError: a version is there already with other bytes, or S3 refused.
    """
    for release in releases:
        for thing in release.things:
            new = _put_new(client, bucket, thing)
            yield f"{'put' if new else 'there already'}: s3://{bucket}/{thing.key}"
    for release in releases:
        _put(client, bucket, release.pointer)
        yield f"points to {release.version}: s3://{bucket}/{release.pointer.key}"


def plan(client: S3Client, bucket: str, releases: Sequence[Release]) -> Iterator[str]:
    """What `publish` would do; puts nothing.

    Raises:
        PublishError: as `publish`.
    """
    for release in releases:
        for thing in release.things:
            there = _checksum_of(client, bucket, thing.key)
            if there is not None:
                _compare(there, bucket, thing)
            yield f"{'would be put' if there is None else 'there already'}: s3://{bucket}/{thing.key}"
        yield f"would point to {release.version}: s3://{bucket}/{release.pointer.key}"


def variables(release: Release) -> str:
    """The Terraform variables that launch this release."""
    return (
        f"# {release.arch}\n"
        f'agent_version  = "{release.version}"\n'
        f'agent_sha256   = "{release.things[0].sha256}"\n'
        f'install_sha256 = "{release.things[-1].sha256}"\n'
    )


def _put_new(client: S3Client, bucket: str, thing: Thing) -> bool:
    """False where the very same is there already."""
    try:
        _put(client, bucket, thing, IfNoneMatch="*")
    except PublishError as exc:
        if not isinstance(exc.__cause__, ClientError) or _code(exc.__cause__) not in _THERE:
            raise
        _compare(_checksum_of(client, bucket, thing.key), bucket, thing)
        return False
    return True


def _put(client: S3Client, bucket: str, thing: Thing, **more: str) -> None:
    try:
        client.put_object(
            Bucket=bucket,
            Key=thing.key,
            Body=thing.body,
            ContentType=thing.content_type,
            # S3 refuses what arrives as anything else.
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=thing.checksum,
            **more,
        )
    except (ClientError, BotoCoreError) as exc:
        raise _refused("s3:PutObject", bucket, thing.key, exc) from exc


def _checksum_of(client: S3Client, bucket: str, key: str) -> str | None:
    """None where there is no such object; empty for one that was put without a SHA-256."""
    try:
        head = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as exc:
        if _code(exc) in _NOT_THERE:
            return None
        raise _refused("s3:GetObject", bucket, key, exc) from exc
    except BotoCoreError as exc:
        raise _refused("s3:GetObject", bucket, key, exc) from exc
    return str(head.get("ChecksumSHA256", ""))


def _compare(there: str | None, bucket: str, thing: Thing) -> None:
    if there != thing.checksum:
        raise PublishError(
            f"s3://{bucket}/{thing.key} is there already with other bytes, and a version never changes;"
            " raise the version in pyproject.toml and agent/__init__.py"
        )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(call: str, bucket: str, key: str, exc: Exception) -> PublishError:
    said = " ".join(str(exc).split())
    return PublishError(f"{call} on s3://{bucket}/{key}: {said}; check bucket, region and role")


def main(arguments: Sequence[str]) -> int:
    """Publishes; the Terraform variables go to stdout, the rest to stderr. 1 when it could not."""
    parser = Parser("deployments/publish", description=__doc__)
    parser.add_argument("--bucket", required=True, help="the bucket of the runner cache will do")
    parser.add_argument("--arch", choices=tuple(MACHINES), action="append", help="all by default")
    parser.add_argument("--region", help="of the bucket; from AWS's own settings by default")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    given = parser.parse_args(arguments)
    try:
        releases = [read(given.dist, arch, __version__) for arch in given.arch or MACHINES]
        client = boto3.client("s3", region_name=given.region)
        act = plan if given.dry_run else publish
        for line in act(client, given.bucket, releases):
            sys.stderr.write(f"{line}\n")
    except BotoCoreError as exc:
        sys.stderr.write(f"publish: {in_words(exc)}\n")
        return 1
    except (PublishError, ValueError) as exc:
        sys.stderr.write(f"publish: {exc}\n")
        return 1
    sys.stdout.write("\n".join(variables(release) for release in releases))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
