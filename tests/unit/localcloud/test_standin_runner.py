"""The stand-in runner as real processes: the words, exit codes and signal behaviour that are known of GitHub's."""

import json
import os
import signal
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.localcloud.runner.build import build_archive, unpack_for_tests
from agent.localcloud.runner.scenario import Job, Scenario, Step

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "RUNNER_ALLOW_RUNASROOT": "1"}
TRAP = {"RUNNER_MANUALLY_TRAP_SIG": "1"}
CLOCK = SystemClock()


def laid_out(tmp_path: Path, **scenario: object) -> Path:
    given = {"time_scale": 0.02, "idle_seconds": 0.0, **scenario}
    return unpack_for_tests(Scenario.model_validate(given), tmp_path / "runner")


def registered(tmp_path: Path, **scenario: object) -> Path:
    root = laid_out(tmp_path, **scenario)
    (root / ".runner").write_text(json.dumps({"AgentName": "standin", "Ephemeral": "True"}))
    for name in (".credentials", ".credentials_rsaparams"):
        (root / name).write_text("{}")
    return root


def configure(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./config.sh", "--unattended", "--url", "https://github.com/a/b", "--name", "n", "--labels", "x,y", "--ephemeral"],
        cwd=root,
        env={**ENVIRONMENT, "ACTIONS_RUNNER_INPUT_TOKEN": "T", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )  # fmt: skip


def start(root: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["./run.sh"],
        cwd=root,
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def lines_until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.rstrip("\n"))
        if text in line:
            return seen
    raise AssertionError(f"no {text!r} in {seen}")


def run(root: Path, **environment: str) -> tuple[int, list[str]]:
    process = start(root, **environment)
    out, _ = process.communicate(timeout=20)
    return process.returncode, out.splitlines()


def wait_until_gone(pid: int) -> None:
    deadline = Deadline.after(CLOCK, 10)
    while Path(f"/proc/{pid}").exists():
        assert not deadline.expired
        CLOCK.wait(threading.Event(), 0.02)


def test_config_sh_leaves_what_the_real_one_leaves(tmp_path: Path) -> None:
    root = laid_out(tmp_path)
    done = configure(root, LANG="C.UTF-8")
    assert done.returncode == 0
    assert "√ Settings Saved." in done.stdout
    settings = json.loads((root / ".runner").read_text(encoding="utf-8-sig"))
    assert (settings["agentName"], settings["ephemeral"]) == ("n", True)
    assert (root / ".runner").read_bytes().startswith(b"\xef\xbb\xbf")
    assert (root / ".credentials_rsaparams").stat().st_mode & 0o777 == 0o600
    assert "LANG=C.UTF-8" in (root / ".env").read_text()


@pytest.mark.parametrize(
    ("how", "text", "tries"),
    [("not_found", "404", 1), ("unauthorized", "401", 3), ("server_error", "500", 3)],
)
def test_a_refused_registration_is_told_on_stderr(
    tmp_path: Path, how: str, text: str, tries: int
) -> None:
    done = configure(laid_out(tmp_path, configure=how))
    assert done.returncode == 1
    assert done.stderr.count(f"does not indicate success: {text}") == tries


def test_root_is_refused_without_the_switch(tmp_path: Path) -> None:
    done = configure(laid_out(tmp_path), RUNNER_ALLOW_RUNASROOT="")
    if os.geteuid() == 0:
        assert (done.returncode, done.stdout) == (1, "Must not run with sudo\n")


def test_an_ephemeral_job_ends_with_the_files_removed(tmp_path: Path) -> None:
    root = registered(tmp_path)
    status, lines = run(root)
    assert status == 0
    assert lines[-4:] == [
        "√ Removed .credentials",
        "√ Removed .runner",
        "Runner listener exit with 0 return code, stop the service, no retry needed.",
        "Exiting runner...",
    ]
    assert "completed with result: Succeeded" in lines[-5]
    assert not (root / ".credentials").exists()
    (log,) = (root / "_diag").glob("Runner_*.log")
    assert "with result: Succeeded" in log.read_text()


@pytest.mark.parametrize(
    ("scenario", "status", "line"),
    [
        ({"listener": "not_configured"}, 0, "terminated error"),
        ({"listener": "session_conflict"}, 0, "Session Conflict"),
        ({"listener": "deprecated"}, 0, "terminated error"),
        ({"listener": "retryable_once"}, 0, "Restarting runner..."),
        ({"listener": "crash"}, 0, "unknown error code: 137"),
        ({"job": {"steps": [{"name": "red", "run": "exit 1"}]}}, 0, "result: Failed"),
    ],
    ids=str,
)
def test_run_sh_ends_with_0_for_nearly_everything(
    tmp_path: Path, scenario: dict[str, object], status: int, line: str
) -> None:
    got, lines = run(registered(tmp_path, **scenario))
    assert got == status
    assert any(line in each for each in lines), lines


def test_a_deprecated_version_has_its_own_code_when_asked_for(tmp_path: Path) -> None:
    root = registered(tmp_path, listener="deprecated")
    environment = {"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1"}
    assert run(root, **environment)[0] == 7


def long_job() -> Job:
    return Job(name="long", steps=(Step(name="sleep", run="sleep 30"),))


def test_in_trap_mode_one_sigterm_is_a_graceful_stop(tmp_path: Path) -> None:
    root = registered(tmp_path, job=long_job())
    process = start(root, **TRAP)
    lines_until(process, "Running job")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "Exiting..." in out
    assert "completed with result: Canceled" in out
    assert (root / ".credentials").exists()


def test_without_trap_mode_sigterm_leaves_the_listener_behind(tmp_path: Path) -> None:
    root = registered(tmp_path, job=None)
    process = start(root)
    lines_until(process, "Listening for Jobs")
    listener = listener_of(process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    assert Path(f"/proc/{listener}").exists()
    os.killpg(process.pid, signal.SIGINT)
    wait_until_gone(listener)
    assert process.stdout is not None
    process.stdout.close()


def test_sigterm_after_sigint_aborts_the_clean_up(tmp_path: Path) -> None:
    root = registered(tmp_path, job=long_job(), time_scale=1.0)
    process = start(root, **TRAP)
    lines_until(process, "Running job")
    listener = listener_of(process.pid)
    os.kill(listener, signal.SIGINT)
    lines_until(process, "Exiting...")
    os.kill(listener, signal.SIGTERM)
    lines_until(process, "unknown error code: 143")
    process.wait(10)
    for pid in session(process.pid):
        os.kill(pid, signal.SIGKILL)
    assert process.stdout is not None
    process.stdout.close()


def test_the_archive_looks_like_github_s(tmp_path: Path) -> None:
    built = build_archive(tmp_path, Scenario(), filler_files=10, filler_bytes=1000, arch="x64")
    assert built.name == "actions-runner-linux-x64-2.336.0.tar.gz"
    with tarfile.open(built.path) as archive:
        members = archive.getmembers()
    assert members[0].name == "."
    assert {member.uid for member in members} == {1001}
    modes = {member.name: member.mode for member in members}
    assert modes["./run.sh"] == modes["./bin/Runner.Listener"] == 0o755
    again = build_archive(tmp_path, Scenario(), filler_files=10, filler_bytes=1000, arch="x64")
    assert again == built


def session(leader: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def listener_of(leader: int) -> int:
    (found,) = [
        pid
        for pid in session(leader)
        if b"Runner.Listener" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return found
