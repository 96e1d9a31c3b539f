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
from agent.errors import DigestMismatch, DownloadError, Interrupted, ReleaseError, SettingsError
from agent.events import warning
from agent.outcome import Reason
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

        Raises:
            SettingsError: the token cannot stand in a header. (The libraries below would print it in their error.)
        """
        if token and not re.fullmatch(r"[!-~]+", token):
            raise SettingsError(
                "RUNS_FLEET_GITHUB_TOKEN='***' cannot be used: it holds a blank, a line's end or another character that no token has",
                mend="set it in the agent's environment file",
            )
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
            Interrupted: the stop was set.
        """
        wanted = version if version == "latest" else str(RunnerVersion.parse(version))
        answer = self._ask(wanted, deadline)
        try:
            release = _Release.model_validate_json(answer)
        except ValidationError as exc:
            wrong = ", ".join(".".join(map(str, e["loc"])) or "JSON" for e in exc.errors()[:3])
            raise ReleaseError(
                f"{self._api_url} did not answer with a release ({wrong})",
                mend="check RUNS_FLEET_GITHUB_API_URL and the proxy in between",
            ) from None
        published = str(RunnerVersion.parse(release.tag_name))
        if wanted not in ("latest", published):
            raise ReleaseError(
                f"{self._api_url} answers with release {published} for {wanted}",
                mend="check RUNS_FLEET_GITHUB_API_URL and the proxy in between",
            )
        return _chosen(release, published, arch)

    def _ask(self, version: str, deadline: Deadline) -> bytes:
        which = "latest" if version == "latest" else f"tags/v{version}"
        url = f"{self._api_url}/repos/actions/runner/releases/{which}"
        while True:
            status, headers, body = self._get(url, deadline)
            if status == httpx.codes.OK:
                return body
            if status == httpx.codes.NOT_FOUND:
                raise ReleaseError(
                    f"GitHub has no runner release {version!r} ({url} answers 404)",
                    mend="set RUNS_FLEET_RUNNER_VERSION to one from https://github.com/actions/runner/releases",
                )
            seconds = rate_limit_seconds(status, headers, body, self._clock)
            if seconds is None:
                raise DownloadError(
                    f"{url} answers {status}",
                    mend="look at https://www.githubstatus.com; or fill the cache and " + _MEND_PIN,
                    transient=status >= httpx.codes.INTERNAL_SERVER_ERROR,
                )
            self._sit_out(url, seconds, deadline)

    def _get(self, url: str, deadline: Deadline) -> tuple[int, httpx.Headers, bytes]:
        try:
            with self._client.stream(
                "GET", url, headers=self._headers, follow_redirects=True
            ) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    self._look_at(url, len(body), deadline)
                return answer.status_code, answer.headers, body
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise DownloadError(
                f"{url} could not be asked: {type(exc).__name__} {exc}",
                mend="check the subnet's way to GitHub; or fill the cache and " + _MEND_PIN,
            ) from exc

    def _look_at(self, url: str, got: int, deadline: Deadline) -> None:
        """Ends an answer that does not end by itself, be it large or slow."""
        if got > LARGEST_ANSWER_BYTES:
            raise ReleaseError(
                f"{url} answers with more than 4 MiB",
                mend="check the proxy between this instance and GitHub",
            )
        if self._stop.is_set():
            raise _stopped()
        if deadline.expired:
            raise DownloadError(
                f"{url} did not answer in time: {got} bytes so far",
                mend="check the subnet's way to GitHub; or fill the cache and " + _MEND_PIN,
            )

    def _sit_out(self, url: str, seconds: float, deadline: Deadline) -> None:
        if seconds >= deadline.remaining():
            raise DownloadError(
                f"GitHub's rate limit is used up for another {seconds:.0f} s ({url})",
                mend="set RUNS_FLEET_GITHUB_TOKEN; or " + _MEND_PIN,
                transient=False,
                retry_after_seconds=seconds,
            )
        warning(log, "github.rate_limited", seconds=seconds)
        if self._clock.wait(self._stop, seconds):
            raise _stopped()


def pinned(version: str, arch: str, sha256: str, github_url: str) -> Release:
    """An exact version whose digest is known already: GitHub's API need not be asked."""
    name = asset_name(version, arch)
    url = f"{github_url}/actions/runner/releases/download/v{version}/{name}"
    return Release(version, arch, url, sha256, None)


def rate_limit_seconds(
    status: int, headers: httpx.Headers, body: bytes, clock: Clock
) -> float | None:
    """How long GitHub wants us to wait, at least a second; None when the answer is not a rate limit.

    A secondary limit may say nothing but its name in the body: then it is a minute.
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if status not in (httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS):
        return None
    if (seconds := _number(headers.get("Retry-After"))) is not None:
        return max(1.0, seconds)
    reset = _number(headers.get("X-RateLimit-Reset"))
    if headers.get("X-RateLimit-Remaining") == "0" and reset is not None:
        return max(1.0, reset - clock.utc().timestamp() + 1.0)
    named = status == httpx.codes.TOO_MANY_REQUESTS or b"rate limit" in body.lower()
    return 60.0 if named else None


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
    markers: list[str] = re.findall(
        rf"{re.escape(asset.name)}\s*<!-- BEGIN SHA {runtime} -->([0-9a-fA-F]{{64}})<!-- END SHA {runtime} -->",
        body,
    )
    known = {d for d in (by_api, *(m.lower() for m in markers)) if _HEX.fullmatch(d)}
    if not known:
        raise ReleaseError(
            f"GitHub publishes no SHA-256 for {asset.name}", mend="set RUNS_FLEET_RUNNER_SHA256"
        )
    if len(known) > 1:
        raise DigestMismatch(
            f"GitHub publishes two digests for {asset.name}: {' and '.join(sorted(known)[:2])}",
            mend="do not use this version; " + _MEND_PIN,
        )
    return known.pop()


def _stopped() -> Interrupted:
    return Interrupted(Reason.STOP_SIGNAL, "stopped while GitHub was asked for the release")


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < 1e12 else None  # noqa: PLR2004 - turns NaN and nonsense away
