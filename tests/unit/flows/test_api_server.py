"""Prefect's API server as the flow starts it, and central ones that do not answer."""

import asyncio
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agent.clock import SystemClock
from flows.api_server import ApiServer, answers
from flows.prefect_environment import find_api, settle


class Well(BaseHTTPRequestHandler):
    """Answers that it is well."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def central() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Well) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_a_server_comes_up_on_the_locked_versions_and_is_seen_to_die(
    tmp_path: Path, migrated_prefect_home: Path
) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PREFECT_HOME": str(migrated_prefect_home)}
    settle(environment, tmp_path)
    server = ApiServer.start(environment)
    assert server is not None
    assert asyncio.run(server.ready(60))
    assert answers(server.url)
    server._process.kill()
    server._process.wait(10)
    assert not server.alive()


def test_a_server_that_dies_at_once_is_not_waited_for(tmp_path: Path) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("raise SystemExit(1)")
    server = ApiServer.start({"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)})
    assert server is not None
    clock = SystemClock()
    began = clock.monotonic()
    assert not asyncio.run(server.ready(60))
    assert clock.monotonic() - began < 20


def test_a_central_server_that_answers_is_used(central: str) -> None:
    environment = {"PREFECT_API_URL": central}
    api = find_api(environment)
    assert api.own is None
    assert api.left_out is None
    assert environment["PREFECT_API_URL"] == central


def test_a_central_server_that_hangs_is_left_out_within_its_two_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        environment = {"PREFECT_API_URL": url, "PATH": "/nowhere", "PREFECT_HOME": str(tmp_path)}
        clock = SystemClock()
        began = clock.monotonic()
        api = find_api(environment)
        assert clock.monotonic() - began < 4
    assert api.left_out == url
    assert api.own is not None
    api.own._process.kill()
    api.own._process.wait(10)
    assert environment["PREFECT_API_URL"] == api.own.url
    assert api.lost()
