import socket
import threading
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from agent.localcloud.faults import BlackHole
from agent.localcloud.server import HttpServer


def _hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def test_a_started_server_answers_at_once_and_a_stopped_one_has_no_port_and_no_thread() -> None:
    before = set(threading.enumerate())
    server = HttpServer(_hello, name="hello")
    server.start()
    url = server.url
    assert httpx.get(url).text == "hello"
    server.stop()
    assert set(threading.enumerate()) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url


def test_stopping_hangs_up_on_a_client_that_is_still_waiting() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        entered.set()
        start_response("200 OK", [("Content-Length", "10")])
        yield b"12345"
        leave.wait(5)
        yield b"67890"

    server = HttpServer(slow, name="slow")
    server.start()
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        client.settimeout(5)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert entered.wait(5)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        while client.recv(4096):
            pass
        leave.set()
        stopper.join(5)
        assert not stopper.is_alive()


def test_an_application_that_breaks_answers_500_and_serves_on() -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ValueError("broken")

    server = HttpServer(broken, name="broken")
    server.start()
    try:
        assert [httpx.get(server.url).status_code for _ in range(2)] == [500, 500]
    finally:
        server.stop()


def test_an_application_may_hang_up_without_an_answer() -> None:
    def rude(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ConnectionAbortedError

    server = HttpServer(rude, name="rude")
    server.start()
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url, timeout=5)
    finally:
        server.stop()


def test_a_black_hole_takes_connections_and_never_answers() -> None:
    with BlackHole() as hole, pytest.raises(httpx.ReadTimeout):
        httpx.get(hole.url, timeout=0.2)
