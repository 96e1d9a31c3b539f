"""What systemd hears of the guardian, on a real notify socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.guardian.systemd import Systemd, without_systemd
from tests.unit.guardian.test_supervise import WRITE_END, guardian, result

SECONDS = 20.0
WAIT = "import threading; threading.Event().wait(2.5)"


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(SECONDS)
        yield listener


def words(heard: socket.socket) -> list[bytes]:
    heard.settimeout(0)
    said = []
    while True:
        try:
            said.append(heard.recv(100))
        except BlockingIOError:
            return said


def test_a_guardian_says_that_it_is_up_and_goes_on_saying_that_it_turns(
    heard: socket.socket, tmp_path: Path
) -> None:
    systemd = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
    assert result(guardian(tmp_path, WAIT + WRITE_END, **systemd))[0] == "status 0"
    first, *others = words(heard)
    assert first == b"READY=1"
    assert len(others) >= 2
    assert set(others) == {b"WATCHDOG=1"}


def test_no_child_can_speak_for_the_guardian(tmp_path: Path) -> None:
    flow = (
        "import os\nassert not [n for n in os.environ if n.startswith(('NOTIFY', 'WATCHDOG'))]"
        + WRITE_END
    )
    systemd = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}
    assert result(guardian(tmp_path, flow, **systemd))[0] == "status 0"
    assert without_systemd({**systemd, "PATH": "/bin"}) == {"PATH": "/bin"}


def test_the_watchdog_hears_no_more_than_it_needs(heard: socket.socket, tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(60_000_000)})
    for _ in range(50):
        systemd.alive()
    assert words(heard) == [b"WATCHDOG=1"]


def test_a_socket_of_the_abstract_kind_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel finds it an abstract address
        listener.settimeout(SECONDS)
        name: bytes = listener.getsockname()
        Systemd({"NOTIFY_SOCKET": "@" + name[1:].decode()}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}], ids=["none", "bad"]
)
def test_without_systemd_nothing_is_told_and_nothing_raised(environment: dict[str, str]) -> None:
    systemd = Systemd(environment)
    systemd.ready()
    systemd.alive()
