"""GitHub's Releases API (https://docs.github.com/en/rest/releases/releases), for one repository: actions/runner."""

import logging
import re
import threading
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.clock import Clock
from agent.deadline import Deadline
from agent.errors import DigestMismatch, DownloadError, ReleaseError
from agent.events import warning
from agent.releases.version import RunnerVersion, asset_name

log = logging.getLogger(__name__)

LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEND_PIN = "pin RUNS_FLEET_RUNNER_VERSION and RUNS_FLEET_RUNNER_SHA256"


@dataclass(frozen=True, slots=True)
class Release:
    """One archive that GitHub publishes, and what must be true of it."""

    version: str
    arch: str
    url: str
    sha256: str
    """Lower-case hex."""
    size: int | None
    """In bytes; None for a pin, which does not say."""


class _Asset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    state: str = "uploaded"
    size: int
    digest: str | None = None
    browser_download_url: str


class _Release(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    tag_name: str
    body: str | None = None
    assets: tuple[_Asset, ...] = ()


class Releases:
    """The Releases API as this agent asks it."""

    def __init__(
        self,
        client: httpx.Client,
        api_url: str,
        *,
        clock: Clock,
        stop: threading.Event,
        token: str | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            client: with timeouts of its own.
            api_url: without a final slash.
            clock: for the wait that a rate limit asks for.
            stop: ends such a wait.
            token: raises the rate limit from 60 an hour and address; never needed.
        """
        self._client = client
        self._api_url = api_url
        self._clock = clock
        self._stop = stop
        self._headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }

    def find(self, version: str, arch: str, *, deadline: Deadline) -> Release:
        """The archive of a version (`latest` or exact) for an architecture, with its digest.

        A rate limit is waited for as GitHub says, where it ends before the deadline.

        Raises:
            ReleaseError: no such version; no archive of it for this architecture (transient: a release is made a minute
                before its archives are uploaded); no digest; an answer that is not GitHub's.
            DigestMismatch: the two places where GitHub publishes the digest do not agree.
            DownloadError: the API could not be asked; transient, but for a rate limit.
        """
        if version != "latest":
            RunnerVersion.parse(version)
        answer = self._ask(version, deadline)
        try:
            release = _Release.model_validate_json(answer)
        except ValidationError as exc:
            wrong = ", ".join(".".join(map(str, e["loc"])) or "JSON" for e in exc.errors()[:3])
            raise ReleaseError(
                f"{self._api_url} did not answer with a release ({wrong})",
                mend="check RUNS_FLEET_GITHUB_API_URL and the proxy in between",
            ) from None
        return _chosen(release, str(RunnerVersion.parse(release.tag_name)), arch)

    def _ask(self, version: str, deadline: Deadline) -> bytes:
        which = "latest" if version == "latest" else f"tags/v{version}"
        url = f"{self._api_url}/repos/actions/runner/releases/{which}"
        while True:
            status, headers, body = self._get(url)
            if status == httpx.codes.OK:
                return body
            if status == httpx.codes.NOT_FOUND:
                raise ReleaseError(
                    f"GitHub has no runner release {version!r} ({url} answers 404)",
                    mend="set RUNS_FLEET_RUNNER_VERSION to a version from the releases page",
                )
            seconds = rate_limit_seconds(status, headers, self._clock)
            if seconds is None:
                raise DownloadError(
                    f"{url} answers {status}",
                    mend="GitHub's status page; or fill the cache and " + _MEND_PIN,
                    transient=status >= httpx.codes.INTERNAL_SERVER_ERROR,
                )
            self._sit_out(url, seconds, deadline)

    def _get(self, url: str) -> tuple[int, httpx.Headers, bytes]:
        try:
            with self._client.stream("GET", url, headers=self._headers) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST_ANSWER_BYTES:
                        raise ReleaseError(
                            f"{url} answers with more than 4 MiB", mend="check the proxy in between"
                        )
                return answer.status_code, answer.headers, body
        except httpx.HTTPError as exc:
            raise DownloadError(
                f"{url} could not be asked: {type(exc).__name__} {exc}",
                mend="check the subnet's way to GitHub; or fill the cache and " + _MEND_PIN,
            ) from exc

    def _sit_out(self, url: str, seconds: float, deadline: Deadline) -> None:
        if seconds > deadline.remaining():
            raise DownloadError(
                f"GitHub's rate limit is used up for another {seconds:.0f} s ({url})",
                mend="set RUNS_FLEET_GITHUB_TOKEN; or " + _MEND_PIN,
                transient=False,
                retry_after_seconds=seconds,
            )
        warning(log, "github.rate_limited", seconds=seconds)
        if self._clock.wait(self._stop, seconds):
            raise DownloadError("stopped while waiting for GitHub's rate limit", mend="", transient=False)  # fmt: skip


def pinned(version: str, arch: str, sha256: str, github_url: str) -> Release:
    """An exact version whose digest is known already: GitHub's API need not be asked."""
    name = asset_name(version, arch)
    url = f"{github_url}/actions/runner/releases/download/v{version}/{name}"
    return Release(version, arch, url, sha256, None)


def rate_limit_seconds(status: int, headers: httpx.Headers, clock: Clock) -> float | None:
    """How long GitHub wants us to wait; None when the answer is not a rate limit.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if status not in (httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS):
        return None
    if (seconds := _number(headers.get("Retry-After"))) is not None:
        return max(0.0, seconds)
    reset = _number(headers.get("X-RateLimit-Reset"))
    if headers.get("X-RateLimit-Remaining") == "0" and reset is not None:
        return max(1.0, reset - clock.utc().timestamp() + 1.0)
    return 60.0 if status == httpx.codes.TOO_MANY_REQUESTS else None


def _chosen(release: _Release, version: str, arch: str) -> Release:
    name = asset_name(version, arch)
    asset = next((a for a in release.assets if a.name == name and a.state == "uploaded"), None)
    if asset is None:
        raise ReleaseError(
            f"runner {version} has no archive {name} (yet)",
            mend="wait a minute, or set RUNS_FLEET_RUNNER_VERSION to the version before",
            transient=True,
        )
    digest = _digest(asset, release.body or "", f"linux-{arch}")
    return Release(version, arch, asset.browser_download_url, digest, asset.size)


def _digest(asset: _Asset, body: str, runtime: str) -> str:
    """From the asset's `digest` and the marker in the release notes, which must agree."""
    by_api = (asset.digest or "").lower().removeprefix("sha256:")
    marker = re.search(
        rf"{re.escape(asset.name)}\s*<!-- BEGIN SHA {runtime} -->([0-9a-fA-F]{{64}})<!-- END SHA {runtime} -->",
        body,
    )
    by_notes = marker[1].lower() if marker else ""
    known = {digest for digest in (by_api, by_notes) if _HEX.fullmatch(digest)}
    if not known:
        raise ReleaseError(
            f"GitHub publishes no SHA-256 for {asset.name}", mend="set RUNS_FLEET_RUNNER_SHA256"
        )
    if len(known) > 1:
        raise DigestMismatch(
            f"GitHub publishes two digests for {asset.name}: {by_api} and {by_notes}",
            mend="do not use this version; " + _MEND_PIN,
        )
    return known.pop()


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < 1e12 else None  # noqa: PLR2004 - turns NaN and nonsense away
