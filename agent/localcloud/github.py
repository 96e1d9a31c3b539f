"""GitHub: the Releases API, the download links and the registration of runners."""

import hashlib
import json
import secrets
import string
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule, Submount
from werkzeug.wrappers import Request, Response

from agent.clock import Clock, SystemClock
from agent.localcloud.calls import Call, CallRecord, attend
from agent.localcloud.faults import Faults
from agent.localcloud.github_assets import AssetHost, Script
from agent.localcloud.github_releases import ArchiveOnDisk, GitHubOptions, release
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_API = [
    Rule("/repos/actions/runner/releases/latest", endpoint="GetLatestRelease"),
    Rule("/repos/actions/runner/releases/tags/v<version>", endpoint="GetReleaseByTag"),
    Rule("/repos/actions/runner/releases", endpoint="ListReleases"),
]
_ROUTES = Map(
    [
        *_API,
        Submount("/api/v3", [rule.empty() for rule in _API]),
        Rule("/actions/runner/releases/download/v<version>/<name>", endpoint="DownloadAsset"),
        Rule("/api/v3/actions/runner-registration", endpoint="RegisterRunner", methods=["POST"]),
        Rule("/_standin/conclusions", endpoint="PostConclusion", methods=["POST"]),
    ]
)
_RELEASES = frozenset({"GetLatestRelease", "GetReleaseByTag", "ListReleases"})
_TOKEN_CHARS = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class RegisteredRunner:
    """What a runner said of itself when it registered."""

    name: str
    labels: tuple[str, ...]
    url: str


class GitHub:
    """GitHub at `url`, the API too, with or without `/api/v3` before its paths.

    Attributes:
        faults: service `github`; operations `GetLatestRelease`, `GetReleaseByTag`, `ListReleases`,
            `DownloadAsset`, `RegisterRunner`, `PostConclusion`.
        record: every call, by the same names.
        valid_tokens: the registration tokens that are taken.
        runners: what was registered.
        conclusions: what the stand-in workers told GitHub of their jobs.
    """

    def __init__(
        self,
        archive: ArchiveOnDisk,
        options: GitHubOptions | None = None,
        *,
        faults: Faults | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._archive = archive
        self._script = Script(options or GitHubOptions())
        self._assets = AssetHost(archive, self._script, self._clock)
        self._lock = threading.Lock()
        self.faults = faults or Faults(self._clock)
        self.record = CallRecord(self._clock)
        self.valid_tokens: set[str] = set()
        self.runners: list[RegisteredRunner] = []
        self.conclusions: list[dict[str, Any]] = []
        self._server = HttpServer(self, name="localcloud-github")

    def start(self) -> None:
        """Serves from now on; OSError when no port could be bound, then nothing is left running."""
        self._assets.start()
        try:
            self._server.start()
        except BaseException:
            self._assets.stop()
            raise

    def stop(self) -> None:
        """Ends what is under way and frees the ports. Harmless when it is not running."""
        self.faults.clear()
        self._server.stop()
        self._assets.stop()

    @property
    def url(self) -> str:
        """What `RUNS_FLEET_GITHUB_URL` and `RUNS_FLEET_GITHUB_API_URL` are to be."""
        return self._server.url

    @property
    def calls(self) -> list[Call]:
        """Every answered call, in the order in which they came in."""
        return self.record.all()

    def behave(self, options: GitHubOptions) -> None:
        """Behaves like this from now on; what is counted is counted from nought."""
        self._script.change(options)

    def issue_registration_token(self) -> str:
        """A fresh token in GitHub's form, valid until it is taken out of `valid_tokens`."""
        token = "A" + "".join(secrets.choice(_TOKEN_CHARS) for _ in range(28))
        self.valid_tokens.add(token)
        return token

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        """The WSGI application."""
        try:
            operation, values = _ROUTES.bind_to_environ(environ).match()
        except HTTPException:
            return _not_found()(environ, start_response)
        request = Request(environ)
        answer = attend(
            Call("github", operation),
            faults=self.faults,
            record=self.record,
            serve=lambda: self._serve(operation, request, **values),
            fail=lambda fault: _json({"message": fault.code}, fault.status or 500),
        )
        return answer(environ, start_response)

    def _serve(
        self, operation: str, request: Request, version: str = "", name: str = ""
    ) -> Response:
        if operation in _RELEASES:
            return self._api(operation, request, version)
        if operation == "DownloadAsset":
            return self._download(version, name)
        if operation == "RegisterRunner":
            return self._register(request)
        with self._lock:
            self.conclusions.append(request.get_json())
        return Response(status=204)

    def _api(self, operation: str, request: Request, version: str) -> Response:
        options = self._script.options
        if self._script.plays("rate limit", options.rate_limited_times):
            return self._rate_limited(options)
        if version not in ("", self._archive.version):
            return _not_found()
        complete = not self._script.plays("asset missing", options.asset_missing_times)
        answer: Any = release(self._archive, options, self.url, complete=complete)
        return _conditional(
            request, [answer] if operation == "ListReleases" else answer, self._rate(59)
        )

    def _rate(self, remaining: int, seconds: int = 3600) -> dict[str, str]:
        reset = int(self._clock.utc().timestamp()) + seconds
        return {
            "X-RateLimit-Limit": "60",
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Used": str(60 - remaining),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Resource": "core",
        }

    def _rate_limited(self, options: GitHubOptions) -> Response:
        if options.rate_limit_status == 429:  # noqa: PLR2004
            message = "You have exceeded a secondary rate limit."
            headers = {"Retry-After": str(options.rate_limit_seconds)}
        else:
            message = "API rate limit exceeded for 127.0.0.1."
            headers = self._rate(0, options.rate_limit_seconds)
        return _json({"message": message}, options.rate_limit_status, headers)

    def _download(self, version: str, name: str) -> Response:
        if (version, name) != (self._archive.version, self._archive.name):
            return Response("Not Found", 404)
        return Response(status=302, headers={"Location": self._assets.location})

    def _register(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "RemoteAuth" or token not in self.valid_tokens:
            return _not_found()
        told = request.get_json(silent=True) or {}
        labels = told.get("labels", ())
        labels = labels.split(",") if isinstance(labels, str) else labels
        runner = RegisteredRunner(told.get("name", ""), tuple(labels), told.get("url", ""))
        with self._lock:
            self.runners.append(runner)
        return _json(
            {
                "url": f"{self.url}/_standin/",
                "token": secrets.token_urlsafe(24),
                "token_schema": "OAuthAccessToken",
                "use_v2_flow": True,
            }
        )


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        json.dumps(content), status, headers, content_type="application/json; charset=utf-8"
    )


def _not_found() -> Response:
    return _json(
        {
            "message": "Not Found",
            "documentation_url": "https://docs.github.com/rest",
            "status": "404",
        },
        404,
    )


def _conditional(request: Request, content: Any, headers: dict[str, str]) -> Response:
    etag = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    headers = headers | {"ETag": f'W/"{etag}"'}
    if request.if_none_match.contains_weak(etag):
        return Response(status=304, headers=headers)
    return _json(content, headers=headers)
