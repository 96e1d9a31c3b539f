"""A small server over real HTTP, with one scripted answer for each path."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from agent.archive.fetch import open_url

DATA = bytes(range(256)) * 1000
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def answers(status: int, body: bytes = b"", /, **headers: str) -> Answer:
    """An answer in one piece; `Content_Length="7"` and the like replace what is true."""

    def give(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | named).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return give


@dataclass
class Source:
    """A server with one answer for each path."""

    url: str = ""
    paths: dict[str, Answer] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[None]:
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.asked.append({key.lower(): value for key, value in self.headers.items()})
                source.paths.get(self.path, answers(404, b"Not Found"))(self)

            def log_message(self, *_: object) -> None: ...

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            yield
            server.shutdown()
            thread.join(10)


def at_once(_: float) -> bool:
    """Waits for nothing."""
    return False


def fetched(client: httpx.Client, url: str, expected_size: int | None = None) -> bytes:
    with open_url(client, url, expected_size=expected_size, wait=at_once) as stream:
        return b"".join(stream.chunks)
