"""A whole run whose job is an attacker: it waits until it is told where the agent is, and what it says is kept."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import agent
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.localcloud.runner.scenario import Job, Scenario, Step

PYTHON = Path("/usr/bin/python3")
ATTACKER = Path(__file__).with_name("attacker.py")
NOBODY = 65534
STEP = """
echo $$ > {seen}/up
for _ in $(seq 100); do [ -e {seen}/given ] || sleep 0.1; done
{python} {attacker} {seen}/given > {seen}/said 2> {seen}/trace || :
"""
runs_as_nobody = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the job's user"),
    pytest.mark.skipif(not PYTHON.exists(), reason="the job's user needs a Python of its own"),
]


@dataclass(frozen=True, slots=True)
class Attacked:
    """A run that is over, and what its attacker said."""

    play: Play
    said: dict[str, Any]


def attack(workdir: Path, *, settings: Mapping[str, str], prepare: Callable[[Play], None] | None = None) -> Attacked:  # fmt: skip
    """Plays it; every promise of the contract must hold all the same."""
    seen = workdir / "seen"
    seen.mkdir()
    shutil.copy(ATTACKER, seen)
    shutil.chown(seen, NOBODY)
    step = STEP.format(seen=seen, python=PYTHON, attacker=seen / ATTACKER.name)
    script = Script(
        "attack",
        runner=Scenario(time_scale=0.1, job=Job(steps=(Step(name="attack", run=step),))),
        settings={"RUNS_FLEET_RUNNER_USER": "nobody", **settings},
        interpreter=str(PYTHON),
        prepare=prepare,
        act=tell,
    )
    with Play(script, workdir, filler_files=20, filler_bytes=200_000) as play:
        play.start()
        exit_status = play.finish()
        broken = [promise for promise in look(play, exit_status) if not promise.held]
        trace = (seen / "trace").read_text() if (seen / "trace").exists() else ""
        assert broken == [], "\n".join([*play.lines, trace])
    return Attacked(play, json.loads((seen / "said").read_text() or json.dumps({"trace": trace})))


def is_roots(process: psutil.Process) -> bool:
    """False also for one that is gone."""
    try:
        return bool(process.uids().effective == 0)
    except psutil.Error:
        return False


def listening_ports(pid: int) -> set[int]:
    """TCP ports of the process, in its own network (man 5 proc_pid_net)."""
    folder = Path(f"/proc/{pid}")
    held = set()
    lines: list[list[str]] = []
    with suppress(OSError):  # a process that is just ending has none
        for name in ("tcp", "tcp6"):
            lines += [line.split() for line in (folder / "net" / name).read_text().splitlines()[1:]]
        for each in (folder / "fd").iterdir():
            with suppress(OSError):
                held.add(str(each.readlink()))
    listen = "0A"
    return {
        int(fields[1].rpartition(":")[2], 16)
        for fields in lines
        if fields[3] == listen and f"socket:[{fields[9]}]" in held
    }


def tell(play: Play) -> None:
    """Tells the attacker where the agent's processes, ports and files are."""
    seen = play.workdir / "seen"
    play.wait_for("job.started")
    guardian = psutil.Process(play.process.pid)
    own = [each for each in (guardian, *guardian.children(recursive=True)) if is_roots(each)]
    ports = {port for each in own for port in listening_ports(each.pid)}
    state = play.state_dir
    files = [state, *sorted(path for path in state.rglob("*") if path.is_file())]
    code = Path(str(agent.__file__))
    above = play.runner_dir.parent
    given = {
        "pids": [each.pid for each in own],
        "ports": sorted(ports),
        "files": [str(path) for path in files],
        "code": [str(path) for path in (code, code.parent, Path(sys.executable).parent, above)],
        "runner": str(play.runner_dir),
        "imds": play.environment()["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
    }
    written = seen / "given.new"
    written.write_text(json.dumps(given))
    written.rename(seen / "given")
