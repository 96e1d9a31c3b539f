"""Row 2: the instance's role is the agent's alone. A real IMDS at its real address, in a network of the test's own."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from agent.clock import SystemClock
from agent.errors import SettingsError
from agent.instance.firewall import METADATA, Door, close, metadata_doors, users_of
from agent.localcloud.imds import Imds
from agent.parameters.runner_config import RunnerConfig
from agent.settings import Settings
from agent.stages import execute
from agent.stages.close_off import ClosedOff
from agent.stages.context import RunContext
from agent.stages.register import register

from .attack import NOBODY, PYTHON, Attacked, attack
from .namespace import in_namespace, ip, needs_namespace, needs_nft

V4, V6 = METADATA
TRY = """
import os, socket, sys
uid, *addresses = sys.argv[1:]
os.setuid(int(uid))
for address in addresses:
    host, _, port = address.rpartition(",")
    try:
        socket.create_connection((host, int(port)), 3).close()
        print("reached", host)
    except OSError as exc:
        print("refused", host, exc.errno)
"""

pytestmark = [
    pytest.mark.root,
    needs_namespace,
    pytest.mark.skipif(not PYTHON.exists(), reason="the job's user needs a Python of its own"),
]


@contextmanager
def listening(*places: tuple[str, int]) -> Iterator[None]:
    sockets = [
        socket.create_server(place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
        for place in places
    ]
    yield
    for each in sockets:
        each.close()


def reached(uid: int, *places: tuple[str, int]) -> list[str]:
    """The hosts that a process of this user comes to."""
    words = [f"{host},{port}" for host, port in places]
    done = subprocess.run(
        [str(PYTHON), "-c", TRY, str(uid), *words],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(places), done.stderr
    return [host for word, host, *_ in lines if word == "reached"]


def only(*names: str) -> Callable[[str], str | None]:
    return lambda name: (
        shutil.which(name, path="/usr/sbin:/sbin") if name.startswith(names) else None
    )


PROGRAMS = [pytest.param("nft", marks=needs_nft), "ip"]
PLACES = ((V4, 80), (V6, 80), ("127.0.0.1", 4200))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_jobs_user_and_its_subordinates_reach_no_closed_door_and_everybody_else_does(
    program: str,
) -> None:
    if only(program)("nft" if program == "nft" else "iptables") is None:
        pytest.skip("there is no iptables on this machine (apt-get install iptables)")

    def attack() -> None:
        doors = (*metadata_doors(None), Door("127.0.0.1", 4200))
        with listening(*PLACES, ("127.0.0.1", 4201)):
            assert reached(NOBODY, *PLACES) == [V4, V6, "127.0.0.1"]
            for _ in range(2):  # as an agent that is started again does
                close((str(NOBODY), "100000-165535"), doors, which=only(program))
            assert reached(NOBODY, *PLACES, ("127.0.0.1", 4201)) == ["127.0.0.1"]
            assert reached(100_500, *PLACES) == []
            assert reached(0, *PLACES) == [V4, V6, "127.0.0.1"]
            assert reached(1, *PLACES) == [V4, V6, "127.0.0.1"]

    in_namespace(attack, f"{V4}/32", f"{V6}/128")


@needs_nft
def test_what_a_container_sends_is_stopped_on_its_way_even_without_a_hop_limit() -> None:
    name = f"job{os.getpid()}"

    def attack() -> None:
        ip("netns", "add", name)
        try:
            ip("link", "add", "bridge0", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "add", "uplink", "type", "veth", "peer", "name", "nowhere")
            ip("link", "set", "nowhere", "up")
            ip("address", "add", "172.17.0.1/24", "dev", "bridge0")
            ip("address", "add", "10.0.0.10/24", "dev", "uplink")
            ip("link", "set", "bridge0", "up")
            ip("link", "set", "uplink", "up")
            ip("route", "add", f"{V4}/32", "dev", "uplink")
            ip("-n", name, "address", "add", "172.17.0.2/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", "172.17.0.1")
            subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True, timeout=10)
            inside = ["ip", "netns", "exec", name, str(PYTHON), "-c", TRY, "0", f"{V4},80"]

            def answer() -> str:
                return subprocess.run(
                    inside, check=True, capture_output=True, text=True, timeout=30
                ).stdout

            # Nobody is behind the uplink: the packet goes out and is lost, or host unreachable comes back.
            assert "refused 169.254.169.254 111" not in answer()
            close((str(NOBODY),), metadata_doors(None))
            assert "refused 169.254.169.254 111" in answer()
        finally:
            ip("netns", "delete", name)

    in_namespace(attack)


def at_its_address(metadata: Imds) -> threading.Event:
    """Serves the stand-in at the real address too, until the event is set."""
    from werkzeug.serving import make_server

    over = threading.Event()
    server = make_server(V4, 80, metadata, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def end() -> None:
        over.wait()
        server.shutdown()

    threading.Thread(target=end, daemon=True).start()
    return over


@needs_nft
def test_a_job_gets_neither_the_roles_credentials_nor_the_agents_port_while_the_agent_uses_both(
    open_dir: Path,
) -> None:
    over: list[threading.Event] = []

    def run() -> Attacked:
        settings = {
            "RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE": "never",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{V4}",
        }
        return attack(
            open_dir,
            settings=settings,
            prepare=lambda play: over.append(at_its_address(play.cloud.metadata)),
        )

    attacked = in_namespace(run, f"{V4}/32")
    over[0].set()
    assert "Connection refused" in attacked.said["role"]
    (answers,) = attacked.said["ports"].values()
    assert set(answers.values()) == {"ConnectionRefusedError"}
    asked = {call.operation for call in attacked.play.cloud.metadata.calls}
    assert "meta-data/iam/security-credentials/runs-fleet-runner" in asked


class Run:
    """What of a run decides what is closed."""

    def __init__(self, user: str, switch: str) -> None:
        self.environment: dict[str, str] = {}
        self.settings = Settings.from_environment(
            {"RUNS_FLEET_RUNNER_USER": user, "RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE": switch}
        )


def closed_off(user: str, switch: str) -> ClosedOff:
    return ClosedOff(cast("RunContext", Run(user, switch)), ())


def test_a_job_that_is_to_have_the_role_meets_no_firewall() -> None:
    def run() -> None:
        with listening((V4, 80)):
            closed_off("nobody", "true").wait()
            assert reached(NOBODY, (V4, 80)) == [V4]

    in_namespace(run, f"{V4}/32")


def test_a_user_that_cannot_be_told_from_the_agent_is_warned_of_or_gets_no_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed_off("root", "false").wait()
    assert "metadata.open_to_job" in caplog.text
    assert "the agent's own user" in caplog.text
    with pytest.raises(SettingsError, match="cannot be closed to the job"):
        closed_off("root", "never").wait()


class StaysOpen:
    """What could not be closed, where the settings want no job then."""

    def wait(self) -> None:
        raise SettingsError("it stays open", mend="close it")


@pytest.mark.parametrize(
    "step", [lambda run: register(run, cast("RunnerConfig", None)), execute._start]
)
def test_neither_config_sh_nor_run_sh_is_started_before_the_doors_are_closed(
    step: Callable[[RunContext], object],
) -> None:
    run = SimpleNamespace(
        closed_off=StaysOpen(),
        settings=Settings.from_environment({"RUNS_FLEET_RUNNER_USER": "nobody"}),
        progress=SimpleNamespace(registered=None),
        clock=SystemClock(),
    )
    with pytest.raises(SettingsError, match="it stays open"):
        step(cast("RunContext", run))


def test_an_endpoint_that_is_set_is_closed_besides_the_real_ones() -> None:
    real = {Door(V4), Door(V6)}
    assert set(metadata_doors(None)) == real
    assert set(metadata_doors("http://127.0.0.1:1338/")) == {*real, Door("127.0.0.1", 1338)}
    assert set(metadata_doors("http://imds.example")) == real


def test_the_ids_that_a_user_may_become_are_its_own_too(tmp_path: Path) -> None:
    table = tmp_path / "subuid"
    table.write_text("other:1:5\nrunner:100000:65536\n1001:300000:10\nrunner:x:1\n\nrunner:5:0\n")
    assert users_of("runner", 1001, table) == ("1001", "100000-165535", "300000-300009")
    assert users_of("runner", 1001, tmp_path / "missing") == ("1001",)


def test_a_machine_without_any_firewall_program_is_named_with_its_mend() -> None:
    with pytest.raises(OSError, match="neither nft nor iptables"):
        close(("1",), metadata_doors(None), which=lambda _: None)


def test_the_role_is_closed_to_the_job_unless_told_otherwise() -> None:
    assert Settings().job_may_use_instance_role == "false"


def test_imds_is_at_the_two_addresses_that_ec2_documents() -> None:
    assert METADATA == ("169.254.169.254", "fd00:ec2::254")
