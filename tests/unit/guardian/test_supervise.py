"""The guardian with real children: small Python programs in the place of the flow and of the end."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agent.guardian import supervise
from agent.guardian.limits import Limits
from agent.guardian.lock import lock
from agent.guardian.supervise import ended
from agent.settings import Settings

ROOT = Path(__file__).parents[3]
SUPERVISE = """
import os, sys
from pathlib import Path
from dataclasses import replace
from agent.guardian.limits import Limits
from agent.guardian.supervise import supervise
state, flow, end = sys.argv[1:]
limits = replace(Limits.of(os.environ), **eval(os.environ.get("LIMITS", "{}")), tries=0.5, pause=0.1)
children = {"flow": [sys.executable, "-c", flow], "end": [sys.executable, "-c", end]}
status = supervise(os.environ, Path(state), **children, limits=limits, pauses=[0.01, 0.01, 0.01])
print("status", status, flush=True)
"""
WRITE_END = """
import os, pathlib
state = pathlib.Path(os.environ["STATE"])
with (state / "journal.jsonl").open("a") as file: file.write('{"fact": "terminate_called"}\\n')
"""
MARK_END = (
    """
import os, pathlib, sys
(pathlib.Path(os.environ["STATE"]) / "end-ran").write_text(" ".join(sys.argv[1:]))
"""
    + WRITE_END
)


def guardian(
    state: Path, flow: str, end: str = MARK_END, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(state), textwrap.dedent(flow), end],
        env={**os.environ, "STATE": str(state), "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=30)
    return out.strip().splitlines()[-1], err


def test_a_flow_that_ended_the_instance_is_not_followed_by_an_end(tmp_path: Path) -> None:
    assert result(guardian(tmp_path, WRITE_END))[0] == "status 0"
    assert not (tmp_path / "end-ran").exists()


@pytest.mark.parametrize(
    ("flow", "status"),
    [
        ("raise SystemExit(1)", 1),
        ("raise SystemExit(2)", 2),
        ("raise SystemExit(0)", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 1),
    ],
)
def test_a_flow_that_did_not_end_the_instance_is_followed_by_an_end(
    tmp_path: Path, flow: str, status: int
) -> None:
    assert result(guardian(tmp_path, flow))[0] == f"status {status}"
    assert (tmp_path / "end-ran").exists()


def test_an_earlier_life_s_terminate_call_does_not_pass_for_this_one_s(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"fact": "terminate_called"}\n')
    result(guardian(tmp_path, "raise SystemExit(1)"))
    assert (tmp_path / "end-ran").exists()
    assert (tmp_path / "journal.jsonl.previous").exists()


def test_one_stop_signal_is_relayed_however_many_arrive(tmp_path: Path) -> None:
    flow = """
        import os, pathlib, signal, threading
        state = pathlib.Path(os.environ["STATE"])
        over = threading.Event()
        got = []
        def stop(number, frame): got.append(number); over.set()
        signal.signal(signal.SIGTERM, stop); signal.signal(signal.SIGINT, stop)
        print("ready", flush=True)
        over.wait(20)
        print("stopping", flush=True)
        threading.Event().wait(0.5)
        print("signals", got, flush=True)
    """
    process = guardian(tmp_path, flow)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline().strip() == "stopping"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline().strip() == f"signals [{int(signal.SIGTERM)}]"
    assert result(process)[0] == "status 1"
    assert (tmp_path / "end-ran").read_text() == "--stopped-by SIGTERM"


def test_nothing_of_a_dead_flow_s_session_stays(tmp_path: Path) -> None:
    flow = """
        import os, pathlib, signal, subprocess, sys
        server = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
        (pathlib.Path(os.environ["STATE"]) / "server").write_text(str(server.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    result(guardian(tmp_path, flow))
    state = Path(f"/proc/{(tmp_path / 'server').read_text()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_power_off_command_is_the_last_resort(tmp_path: Path) -> None:
    mark = tmp_path / "powered-off"
    environment = {"RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'"}
    _, err = result(guardian(tmp_path, "pass", "raise SystemExit(1)", **environment))
    assert mark.exists()
    assert "power-off" in err


def test_a_dry_run_is_never_powered_off(tmp_path: Path) -> None:
    mark = tmp_path / "powered-off"
    environment = {
        "RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'",
        "RUNS_FLEET_DRY_RUN": "true",
    }
    result(guardian(tmp_path, "pass", "raise SystemExit(1)", **environment))
    assert not mark.exists()


@pytest.mark.parametrize("word", ["", "false", "0", "no", "off", "n", "f", "FALSE", "true", "1", "yes", "on", "y", "t"])  # fmt: skip
def test_the_guardian_reads_a_dry_run_as_the_settings_do(tmp_path: Path, word: str) -> None:
    mark = tmp_path / "powered-off"
    environment = {
        "RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'",
        "RUNS_FLEET_DRY_RUN": word,
    }
    assert supervise._power_off(environment)
    assert mark.exists() is not Settings.from_environment(environment).dry_run


def test_a_second_agent_on_the_same_state_changes_nothing(tmp_path: Path) -> None:
    with lock(tmp_path) as free:
        assert free
        last, err = result(guardian(tmp_path, MARK_END))
    assert last == "status 1"
    assert "another agent is at work" in err
    assert not ended(tmp_path)


def test_a_flow_over_its_limit_is_killed_and_the_instance_ended(tmp_path: Path) -> None:
    flow = "import threading; threading.Event().wait(60)"
    _, err = result(guardian(tmp_path, flow, LIMITS="{'flow': 1.0}"))
    assert "over its limit" in err
    assert (tmp_path / "end-ran").exists()


def test_limits_follow_the_settings_and_wrong_ones_count_as_default() -> None:
    default = Limits.of({})
    assert default == Limits.of(
        {"RUNS_FLEET_GRACE_SECONDS": "x", "RUNS_FLEET_MAX_RUNTIME_MINUTES": "nan"}
    )
    longer = Limits.of({"RUNS_FLEET_MAX_RUNTIME_MINUTES": "361"})
    assert longer.flow - default.flow == pytest.approx(60)
