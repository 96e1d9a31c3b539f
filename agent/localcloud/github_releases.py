"""The Releases API's answer for a runner version, in GitHub's shape, right or wrong as ordered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

RUNTIMES = ("linux-x64", "linux-arm64", "linux-arm", "osx-x64", "osx-arm64", "win-x64", "win-arm64")
"""A release has these seven assets; the order of the body differs and means nothing."""
PUBLISHED = "2026-08-17T12:00:00Z"
WRONG_SHA256 = hashlib.sha256(b"not the archive").hexdigest()

Rightness = Literal["right", "missing", "wrong"]


class ArchiveOnDisk(Protocol):
    """A runner archive: where it lies, what it is, and what GitHub calls it."""

    @property
    def path(self) -> Path: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class GitHubOptions:
    """How GitHub behaves; the defaults are a good day.

    Attributes:
        digest: the asset's `digest` in the API.
        body_marker: the SHA-256 in the release's body.
        asset_missing_times: so many API answers do not list the archive yet.
        rate_limited_times: so many API calls are refused for their rate.
        rate_limit_status: 403 with `X-RateLimit-Reset`, or 429 with `Retry-After`.
        rate_limit_seconds: the pause that the refusal asks for.
        asset_status: the HTTP status of a failing download, 429 with `Retry-After`; None: none fails.
        asset_failures: so many downloads fail with it; None: all.
        truncate_at: the connection is closed after so many bytes of a download; None: never.
        truncate_times: so many downloads are cut; None: all.
        bytes_per_second: the speed of downloads; None: as fast as it goes.
        serve_instead: the bytes served under the announced digest; None: the archive's own.
    """

    digest: Rightness = "right"
    body_marker: Rightness = "right"
    asset_missing_times: int = 0
    rate_limited_times: int = 0
    rate_limit_status: Literal[403, 429] = 403
    rate_limit_seconds: int = 1
    asset_status: int | None = None
    asset_failures: int | None = 1
    truncate_at: int | None = None
    truncate_times: int | None = None
    bytes_per_second: int | None = None
    serve_instead: Path | None = None


def release(
    archive: ArchiveOnDisk, options: GitHubOptions, url: str, *, complete: bool = True
) -> dict[str, Any]:
    """The JSON of one release.

    Args:
        archive: the one asset that exists.
        options: how its digests are given.
        url: GitHub's base, no slash at the end.
        complete: false while the archive is not uploaded yet.
    """
    version, repo = archive.version, f"{url}/repos/actions/runner"
    names = {rid: asset_name(rid, version) for rid in RUNTIMES}
    built = f"linux-{archive.arch}"
    return {
        "url": f"{repo}/releases/1",
        "html_url": f"{url}/actions/runner/releases/tag/v{version}",
        "id": 1,
        "author": {"login": "github-actions[bot]", "id": 41898282, "type": "Bot"},
        "tag_name": f"v{version}",
        "target_commitish": "main",
        "name": f"v{version}",
        "draft": False,
        "prerelease": False,
        "created_at": PUBLISHED,
        "published_at": PUBLISHED,
        "assets": [
            _asset(index, name, archive if rid == built else None, options, url)
            for index, (rid, name) in enumerate(names.items(), start=1)
            if complete or rid != built
        ],
        "body": _body(names, built, _told(options.body_marker, archive.sha256)),
    }


def asset_name(runtime: str, version: str) -> str:
    """What GitHub calls the archive of a runtime such as `linux-x64`."""
    ending = "zip" if runtime.startswith("win-") else "tar.gz"
    return f"actions-runner-{runtime}-{version}.{ending}"


def _asset(
    index: int, name: str, archive: ArchiveOnDisk | None, options: GitHubOptions, url: str
) -> dict[str, Any]:
    version = name.removesuffix(".zip").removesuffix(".tar.gz").rpartition("-")[2]
    digest = _told(options.digest, archive.sha256) if archive else _made_up(name)
    return {
        "url": f"{url}/repos/actions/runner/releases/assets/{index}",
        "id": index,
        "name": name,
        "label": "",
        "content_type": "application/octet-stream",
        "state": "uploaded",
        "size": archive.size if archive else 200_000_000 + index,
        "digest": f"sha256:{digest}" if digest else None,
        "download_count": 4711,
        "created_at": PUBLISHED,
        "updated_at": PUBLISHED,
        "browser_download_url": f"{url}/actions/runner/releases/download/v{version}/{name}",
    }


def _body(names: Mapping[str, str], built: str, sha256: str | None) -> str:
    lines = [
        "## What's Changed",
        "* The stand-in of a release, for `demo` and the tests",
        "",
        "## SHA-256 Checksums",
        "The SHA-256 checksums for the packages included in this build are shown below:",
        "",
    ]
    for runtime, name in names.items():
        digest = sha256 if runtime == built else _made_up(name)
        marker = f"<!-- BEGIN SHA {runtime} -->{digest}<!-- END SHA {runtime} -->"
        lines.append(f"- {name} {marker}" if digest else f"- {name}")
    return "\n".join(lines)


def _told(how: Rightness, sha256: str) -> str | None:
    return {"right": sha256, "missing": None, "wrong": WRONG_SHA256}[how]


def _made_up(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
