"""Makes a fault happen to a running play. Only processes of that play are ever signalled, each by its pid."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from agent.clock import SystemClock
from agent.demo.play import Play
from agent.runner.identity import all_processes
from tests.faults import wall_clock
from tests.faults.seeded import Fault

ALL_SERVICES = ("ssm", "sqs", "logs", "ec2", "s3")
REFUSALS = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied"}
BALLAST_CHUNK = 1 << 20
Undo = Callable[[], None]


def strike_when_due(play: Play, fault: Fault, struck: list[float]) -> None:
    """Waits for the fault's moment, strikes, and takes it back when its time is over; does nothing when the run is over first."""
    clock, never = SystemClock(), threading.Event()
    if fault.moment:
        try:
            play.wait_for(fault.moment)
        except TimeoutError:
            return
    clock.wait(never, fault.delay)
    struck.append(clock.monotonic())
    undo = _STRIKES[fault.kind](play, fault)
    if undo is not None:
        clock.wait(never, fault.seconds)
        undo()


def processes(play: Play, role: str) -> list[int]:
    """Pids of the agent: its `guardian`, its `flow`, its Prefect `api` server."""
    if role == "guardian":
        return [play.process.pid] if play.process.poll() is None else []
    sign = b"-m\0flows\0" if role == "flow" else b"-m\0flows.api.serve\0"
    mark = f"RUNS_FLEET_STATE_DIR={play.state_dir}".encode()
    return [pid for pid in _alive() if sign in _read(pid, "cmdline") and mark in _read(pid, "environ")]  # fmt: skip


def everything(play: Play) -> list[int]:
    """Pids of the agent and of its runner: what systemd has in the service's cgroup."""
    mark = f"RUNS_FLEET_STATE_DIR={play.state_dir}".encode()
    return [pid for pid in _alive() if mark in _read(pid, "environ") or _is_the_runners(pid, play)]


def runners(play: Play) -> list[int]:
    return [pid for pid in _alive() if _is_the_runners(pid, play)]


def kill_everything(play: Play) -> None:
    """What systemd does with `KillMode=mixed` when the main process is gone."""
    for _ in range(3):
        for pid in everything(play):
            _signal(pid, signal.SIGKILL)


def _kill(play: Play, fault: Fault) -> None:
    for pid in processes(play, fault.what):
        _signal(pid, signal.SIGKILL)


def _freeze(play: Play, fault: Fault) -> Undo:
    frozen = processes(play, fault.what)
    for pid in frozen:
        _signal(pid, signal.SIGSTOP)

    def thaw() -> None:
        for pid in frozen:
            _signal(pid, signal.SIGCONT)

    return thaw


def _stop(play: Play, fault: Fault) -> None:
    for pid in processes(play, fault.what):
        _signal(pid, signal.SIGTERM)


def _aws(play: Play, fault: Fault) -> Undo:
    service, mode = fault.what.split()
    faults = play.cloud.faults
    for name in ALL_SERVICES if service == "*" else (service,):
        if mode == "hang":
            faults.hang(name, "*", seconds=fault.seconds + 30)
        elif mode == "refuse":
            faults.fail(name, "*", status=403, code=REFUSALS.get(name, "AccessDeniedException"))
        elif mode == "throttle":
            faults.fail(name, "*", status=400, code="ThrottlingException")
        else:
            faults.fail(name, "*", status=503, code="ServiceUnavailable")
    return faults.clear


def _disk(play: Play, _fault: Fault) -> Undo:
    ballast = play.state_dir / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(BALLAST_CHUNK)) == BALLAST_CHUNK:
            pass

    def free() -> None:
        ballast.unlink(missing_ok=True)

    return free


def _clock(play: Play, fault: Fault) -> Undo:
    wall_clock.jump(play.workdir, fault.what)
    return lambda: wall_clock.jump(play.workdir, "+0")


_STRIKES: dict[str, Callable[[Play, Fault], Undo | None]] = {
    "kill": _kill,
    "freeze": _freeze,
    "stop": _stop,
    "aws": _aws,
    "disk": _disk,
    "clock": _clock,
}


def _alive() -> list[int]:
    return [stat.pid for stat in all_processes() if not stat.dead]


def _is_the_runners(pid: int, play: Play) -> bool:
    folder = str(play.runner_dir)
    try:
        at = str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return False
    return at.startswith(folder) or folder.encode() in _read(pid, "cmdline")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
