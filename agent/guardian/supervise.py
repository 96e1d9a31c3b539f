"""The parent process of a run. Standard library only: it must start at once, stay small and outlive everything.

It starts the flow, relays one stop request, waits within a limit, and when the journal does not say that the instance was
ended it runs `end` in a fresh process; when not even that works, the power-off command.
"""

import contextlib
import ctypes
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

FLOW = (sys.executable, "-m", "flows")
END = (sys.executable, "-m", "agent", "end", "--after-flow")
JOURNAL = "journal.jsonl"
PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h: orphans of the runner become ours, so none of them gets lost at pid 1."""
BUSY_EXIT = 1
SETTINGS_EXIT = 2

_DEFAULTS = {
    "RUNS_FLEET_STANDBY_DEADLINE_MINUTES": 120.0,
    "RUNS_FLEET_MAX_RUNTIME_MINUTES": 360.0,
    "RUNS_FLEET_GRACE_SECONDS": 90.0,
    "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": 60.0,
}
BOOT_SECONDS = 900.0
"""For everything else that the flow does: Prefect's start, download, register."""
KILL_SECONDS = 10.0
LARGEST = 1_000_000.0
"""As in the settings, whose module would cost third-party imports here."""
END_MARGIN_SECONDS = 60.0
"""Calls to AWS that were begun just before the finish timeout end within this."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each child may take, in seconds; made of the same variables as the settings, wrong ones by default."""

    flow: float
    stop: float
    """From a stop request to the flow's exit."""
    end: float

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Limits":
        value = {name: _number(environment, name) for name in _DEFAULTS}
        grace, finish = (
            value["RUNS_FLEET_GRACE_SECONDS"],
            value["RUNS_FLEET_FINISH_TIMEOUT_SECONDS"],
        )
        minutes = (
            value["RUNS_FLEET_STANDBY_DEADLINE_MINUTES"] + value["RUNS_FLEET_MAX_RUNTIME_MINUTES"]
        )
        end = finish + END_MARGIN_SECONDS
        return cls(
            flow=minutes * 60 + BOOT_SECONDS + grace + end,
            stop=grace + end + END_MARGIN_SECONDS,
            end=end,
        )


def supervise(
    environment: Mapping[str, str],
    state_dir: Path,
    *,
    flow: Sequence[str] = FLOW,
    end: Sequence[str] = END,
) -> int:
    """Takes the instance through its run and returns the exit status of contract section 1.

    Args:
        environment: the agent's whole environment, handed on to the children.
        state_dir: where journal and lock are.
        flow: the flow process.
        end: what ends the instance when the flow did not.
    """
    with contextlib.ExitStack() as stack:
        if not stack.enter_context(lock(state_dir)):
            _say(f"another agent is at work on {state_dir}; this one ends and changes nothing")
            return BUSY_EXIT
        _set_earlier_life_aside(state_dir)
        _become_subreaper()
        limits = Limits.of(environment)
        relay = _Relay()
        stack.enter_context(relay.installed())
        status = _run_flow(flow, environment, limits, relay)
        if ended(state_dir):
            return status if status in (0, 1, SETTINGS_EXIT) else 1
        stopped_by = ("--stopped-by", relay.name) if relay.name else ()
        worked = _run_end((*end, *stopped_by), environment, limits)
        if not worked and not ended(state_dir):
            _power_off(environment)
        return SETTINGS_EXIT if status == SETTINGS_EXIT else 1


@contextlib.contextmanager
def lock(state_dir: Path) -> Iterator[bool]:
    """Holds the state directory for one agent; yields false when another holds it. A disk that takes no lock stops nobody."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock_path(state_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
    except BlockingIOError:
        yield False
    except OSError:
        yield True
    else:
        yield True
    finally:
        os.close(handle)


def lock_path(state_dir: Path) -> Path:
    return state_dir / "agent.lock"


def ended(state_dir: Path) -> bool:
    """True when the journal says that the terminate call was made."""
    try:
        return b'"fact": "terminate_called"' in (state_dir / JOURNAL).read_bytes()
    except OSError:
        return False


def _set_earlier_life_aside(state_dir: Path) -> None:
    """A journal that ends with a terminate call is of a run before this one, and must not pass for the end of this one."""
    if ended(state_dir):
        with contextlib.suppress(OSError):
            (state_dir / JOURNAL).replace(state_dir / f"{JOURNAL}.previous")


class _Relay:
    """Passes the first stop signal on to the flow, once; further ones are swallowed: a second would cut the end short."""

    def __init__(self) -> None:
        self.name = ""
        self.asked = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def watch(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        if self.asked.is_set():
            child.send_signal(signal.SIGTERM)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            return
        self.name = signal.Signals(number).name
        self.asked.set()
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


def _run_flow(
    command: Sequence[str], environment: Mapping[str, str], limits: Limits, relay: _Relay
) -> int | None:
    """The flow's exit status; None when it could not be started or had to be killed."""
    try:
        child = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    except OSError as exc:
        _say(f"the flow cannot be started: {exc}")
        return None
    relay.watch(child)
    try:
        return _wait(child, limits, relay)
    finally:
        _kill_session(child)


def _wait(child: subprocess.Popen[bytes], limits: Limits, relay: _Relay) -> int | None:
    left = limits.flow
    while left > 0:
        step = min(0.5, left)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(step)
        left -= step
        if relay.asked.is_set() and left > limits.stop:
            left = limits.stop
    _say("the flow is over its limit and is killed")
    return None


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the flow stays, Prefect's server included; the runner has a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(KILL_SECONDS)


def _run_end(command: Sequence[str], environment: Mapping[str, str], limits: Limits) -> bool:
    try:
        child = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    except OSError as exc:
        _say(f"the end cannot be started: {exc}")
        return False
    try:
        return child.wait(limits.end) == 0
    except subprocess.TimeoutExpired:
        _say("the end is over its limit and is killed")
        return False
    finally:
        _kill_session(child)


def _power_off(environment: Mapping[str, str]) -> None:
    command = environment.get("RUNS_FLEET_POWER_OFF_COMMAND", "")
    dry_run = environment.get("RUNS_FLEET_DRY_RUN", "").lower() in ("true", "1", "yes")
    if not command or dry_run:
        _say("the instance could not be ended; terminate it by hand")
        return
    _say(f"the instance could not be ended; running the power-off command: {command}")
    try:
        subprocess.run(shlex.split(command), check=False, timeout=KILL_SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        _say(f"the power-off command failed: {exc}")


def _become_subreaper() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _number(environment: Mapping[str, str], name: str) -> float:
    try:
        value = float(environment.get(name, ""))
    except ValueError:
        return _DEFAULTS[name]
    return value if 0 < value <= LARGEST else _DEFAULTS[name]  # also turns NaN away


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"runs-fleet-agent: {text}\n".encode())
