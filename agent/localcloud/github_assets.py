"""The host that GitHub's download links lead to: the archive's bytes, whole or in part, or cut short."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.http import parse_range_header
from werkzeug.wrappers import Request, Response

from agent.clock import Clock
from agent.localcloud.github_releases import ArchiveOnDisk, GitHubOptions
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CHUNK_BYTES = 256 * 1024
TICK_SECONDS = 0.1


class Script:
    """The options in force and how often each was played. Thread-safe."""

    def __init__(self, options: GitHubOptions) -> None:
        self._lock = threading.Lock()
        self._played: Counter[str] = Counter()
        self._options = options

    @property
    def options(self) -> GitHubOptions:
        with self._lock:
            return self._options

    def change(self, options: GitHubOptions) -> None:
        """These from now on, counted from nought."""
        with self._lock:
            self._options = options
            self._played.clear()

    def plays(self, what: str, times: int | None) -> bool:
        """True for the first `times` askers of `what`; for all when None."""
        with self._lock:
            self._played[what] += 1
            return times is None or self._played[what] <= times


class AssetHost:
    """Serves one archive at `location`, with ranges; a host of its own, as GitHub's is.

    Like the real one it refuses requests that carry an `Authorization` (400): credentials for the
    API have no business here.
    """

    def __init__(self, archive: ArchiveOnDisk, script: Script, clock: Clock) -> None:
        self._archive = archive
        self._script = script
        self._clock = clock
        self._stopping = threading.Event()
        self._server = HttpServer(self, name="localcloud-assets")

    def start(self) -> None:
        """Serves from now on; OSError when no port could be bound."""
        self._server.start()

    def stop(self) -> None:
        """Ends the downloads under way and frees the port."""
        self._stopping.set()
        self._server.stop()

    @property
    def location(self) -> str:
        """Where a download link leads."""
        return f"{self._server.url}/assets/{self._archive.name}?sp=r"

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        """The WSGI application."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        options = self._script.options
        if request.path != f"/assets/{self._archive.name}":
            return Response("Not Found", 404)
        if "Authorization" in request.headers:
            return Response("InvalidAuthenticationInfo", 400)
        if options.asset_status and self._script.plays("asset_status", options.asset_failures):
            pause = {"Retry-After": str(options.rate_limit_seconds)}
            limited = options.asset_status == 429  # noqa: PLR2004 - HTTP
            return Response(
                "failed as ordered", options.asset_status, headers=pause if limited else None
            )
        return self._file(request, options.serve_instead or self._archive.path, options)

    def _file(self, request: Request, path: Path, options: GitHubOptions) -> Response:
        size = path.stat().st_size
        etag = f'"0x{self._archive.sha256[:15].upper()}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        asked = parse_range_header(request.headers.get("Range"))
        if asked is None or request.headers.get("If-Range", etag) != etag:
            start, stop, status = 0, size, 200
        else:
            part = asked.range_for_length(size)
            if part is None:
                return Response(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
            (start, stop), status = part, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        headers["Content-Length"] = str(stop - start)
        body = self._bytes(path, start, self._cut(start, stop, options), options.bytes_per_second)
        return Response(body, status, headers, content_type="application/octet-stream")

    def _cut(self, start: int, stop: int, options: GitHubOptions) -> int:
        at = options.truncate_at
        if at is None or not self._script.plays("truncate", options.truncate_times):
            return stop
        return min(stop, start + at)

    def _bytes(self, path: Path, start: int, stop: int, speed: int | None) -> Iterator[bytes]:
        chunk = CHUNK_BYTES if speed is None else max(1, int(speed * TICK_SECONDS))
        with path.open("rb") as file:
            file.seek(start)
            while start < stop and (data := file.read(min(chunk, stop - start))):
                yield data
                start += len(data)
                if speed is not None and self._clock.wait(self._stopping, TICK_SECONDS):
                    return
