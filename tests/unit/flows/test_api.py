"""Prefect's API server as the flow starts it, and central ones that do not answer."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from agent.clock import SystemClock
from flows.api import slim
from flows.api.left_out import LEFT_OUT
from flows.api.own import OwnApi
from flows.api.process import answers
from flows.prefect_environment import find_api, settle

ROOT = Path(__file__).parents[3]


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


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    given = {"PATH": "/usr/bin:/bin"}
    settle(given, tmp_path)
    return given


def test_the_stock_server_comes_up_on_the_locked_versions_and_is_seen_to_die(
    environment: dict[str, str],
) -> None:
    own = OwnApi(environment, stock=True)
    assert asyncio.run(own.ready(60))
    assert answers(own.url)
    own.stop()
    assert not own.alive()


def test_a_server_that_dies_at_once_is_not_waited_for(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(1)")
    own = OwnApi({**environment, "PYTHONPATH": str(tmp_path)}, stock=True)
    clock = SystemClock()
    began = clock.monotonic()
    assert not asyncio.run(own.ready(60))
    assert clock.monotonic() - began < 20


def test_our_api_in_a_thread_records_flow_and_task_runs(said: dict[str, Any]) -> None:
    assert said["threaded"]
    assert said["up"]
    assert said["flows"] == [["a name of its own", "FAILED", "Failed"]]
    assert sorted(said["tasks"]) == [["fails", "FAILED", 2], ["works", "COMPLETED", 1]]


def test_our_api_writes_down_what_it_was_told_just_before_its_end(said: dict[str, Any]) -> None:
    kept, told = said["last_words"]
    assert kept == told


def test_our_api_answers_nobody_but_the_flow(said: dict[str, Any]) -> None:
    assert said["stranger"] == {"admin/version": 401, "flows/": 401, "health": 401}


def test_our_api_ends_when_it_is_told_to(said: dict[str, Any]) -> None:
    assert not said["alive"]
    assert said["stop_seconds"] < 3


def test_every_module_that_is_left_out_would_have_been_imported(said: dict[str, Any]) -> None:
    """One that Prefect has given up or moved makes the list wrong."""
    assert said["left_out"] == list(LEFT_OUT)
    for name in LEFT_OUT:
        path = Path(*name.split("."))
        assert any((Path(place) / path).with_suffix(".py").exists() or (Path(place) / path).is_dir() for place in sys.path)  # fmt: skip


def test_every_route_that_is_kept_is_one_of_prefect_s(said: dict[str, Any]) -> None:
    assert said["routes_missing"] == []


def test_the_slim_app_is_for_the_prefect_that_is_locked() -> None:
    assert slim.fits()


def test_an_app_that_cannot_be_built_is_served_the_stock_way(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ImportError("no PrefectRouter in this Prefect")

    monkeypatch.setattr(slim, "build", broken)
    own = OwnApi(environment, stock=False)
    own.load()
    assert asyncio.run(own.ready(60))
    assert not own.threaded()
    own.stop()


def test_an_address_is_known_before_there_is_a_server(environment: dict[str, str]) -> None:
    own = OwnApi(environment, stock=False)
    assert environment["PREFECT_API_URL"] == own.url
    assert own.alive()
    assert not asyncio.run(own.ready(0.05))
    own.stop()


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
    assert environment["PREFECT_API_URL"] == api.own.url
    api.own.stop()


def test_a_process_that_was_forked_meanwhile_does_not_keep_the_port(
    environment: dict[str, str],
) -> None:
    own = OwnApi(environment, stock=False)
    waits, over = os.pipe()
    up, says_up = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(over)
        os.write(says_up, b"x")
        os.read(waits, 1)
        os._exit(0)
    try:
        assert os.read(up, 1) == b"x"
        own._listener.close()
        socket.create_server(("127.0.0.1", own.port)).close()
    finally:
        os.close(over)
        os.waitpid(child, 0)
        for end in (waits, up, says_up):
            os.close(end)
