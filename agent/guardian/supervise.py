"""The parent process of a run. Standard library only: it must start at once, stay small and outlive everything.

It starts the flow, relays one stop request, starts a flow that died again so that it goes on where it was, and waits within
limits. When the journal does not say that the instance was ended it runs `end` in a fresh process; when not even that works, the
power-off command.
"""

import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from agent.guardian.child import KILL_SECONDS, Child, reap_orphans
from agent.guardian.limits import Limits
from agent.guardian.lock import Held, lock

FLOW = (sys.executable, "-m", "flows")
PLAIN = "--plain"
"""The flow's pipeline without Prefect: what is tried last."""
END = (sys.executable, "-m", "agent", "end", "--after-flow")
JOURNAL = "journal.jsonl"
SPOOL = "logs"
HEARTBEAT = "heartbeat"
"""A file that the flow touches as long as its event loop turns."""
PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h: orphans of the runner become ours, so none of them gets lost at pid 1."""
BUSY_EXIT = 1
SETTINGS_EXIT = 2
PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Before each restart of a flow that died; there are as many restarts."""
TAIL_BYTES = 64 * 1024
"""Of the journal; little follows a terminate call."""


def supervise(
    environment: Mapping[str, str],
    state_dir: Path,
    *,
    flow: Sequence[str] = FLOW,
    end: Sequence[str] = END,
    limits: Limits | None = None,
    pauses: Sequence[float] = PAUSES_SECONDS,
) -> int:
    """Takes the instance through its run and returns the exit status of contract section 1.

    Args:
        environment: the agent's whole environment, handed on to the children.
        state_dir: where journal and lock are.
        flow: the flow process.
        end: what ends the instance when the flow did not.
        limits: of the environment's own where not given.
        pauses: before each restart of the flow.
    """
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(lock(state_dir))
        if held is None:
            _say(f"another agent is at work on {state_dir}; this one ends and changes nothing")
            return BUSY_EXIT
        _set_earlier_life_aside(state_dir)
        _become_subreaper()
        guardian = _Guardian(environment, state_dir, limits or Limits.of(environment), held)
        stack.enter_context(guardian.relaying())
        status = guardian.run_flow(flow, pauses)
        if ended(state_dir):
            return status if status in (0, 1, SETTINGS_EXIT) else _status_of_outcome(state_dir)
        if not guardian.run_end(end) and not ended(state_dir):
            _power_off(environment)
        return SETTINGS_EXIT if status == SETTINGS_EXIT else 1


class _Guardian:
    """One run: the stop request that came, and the time that is left."""

    def __init__(
        self, environment: Mapping[str, str], state_dir: Path, limits: Limits, held: Held
    ) -> None:
        self._environment = environment
        self._state_dir = state_dir
        self._limits = limits
        self._held = held
        self._until = time.monotonic() + limits.flow
        self._stop_name = ""
        self._stop = threading.Event()
        self._child: Child | None = None

    def run_flow(self, flow: Sequence[str], pauses: Sequence[float]) -> int | None:
        """The last life's exit status; None when it could not be started or had to be killed."""
        status = self._one_life(flow)
        for number, pause in enumerate(pauses, start=1):
            if self._is_final(status):
                break
            _say(
                f"the flow died with status {status}; it is started again ({number} of {len(pauses)})"
            )
            if self._stop.wait(pause):
                break
            status = self._one_life([*flow, PLAIN] if number == len(pauses) else flow)
        return status

    def run_end(self, command: Sequence[str]) -> bool:
        """True when `end` says that the instance is being ended."""
        stopped_by = ("--stopped-by", self._stop_name) if self._stop_name else ()
        left = self._limits.end

        def look(seconds: float) -> bool:
            nonlocal left
            left -= seconds
            return left > 0

        # It gets no stop signal: it is the end already.
        return self._run((*command, *stopped_by), look, relay=False) == 0

    @contextlib.contextmanager
    def relaying(self) -> Iterator[None]:
        """Passes the first stop signal on to the flow, once; further ones are swallowed: a second would cut the end short."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _is_final(self, status: int | None) -> bool:
        """Whether there is nothing left that another life of the flow could do better than `end`."""
        over = self._stop.is_set() or status == SETTINGS_EXIT or time.monotonic() >= self._until
        return over or _journal_holds(self._state_dir, b'"fact": "ended"')

    def _one_life(self, command: Sequence[str]) -> int | None:
        heart = _Heartbeat(self._state_dir / HEARTBEAT)
        after_end = self._limits.after_end

        def look(seconds: float) -> bool:
            nonlocal after_end
            if ended(self._state_dir):
                after_end -= seconds
                return after_end > 0
            if self._child is not None:
                self._child.continue_if_stopped()
            if heart.silent_seconds() > self._limits.silent:
                _say("the flow hangs and is killed")
                return False
            if time.monotonic() < self._until:
                return True
            _say("the flow is over its limit and is killed")
            return False

        return self._run(command, look, relay=True)

    def _run(
        self, command: Sequence[str], look: Callable[[float], bool], *, relay: bool
    ) -> int | None:
        try:
            child = Child.start(command, self._environment, inherits=self._held.descriptor)
        except OSError as exc:
            _say(f"{command[-1]} cannot be started: {exc}")
            return None
        self._held.note(os.getpid(), child.process.pid)
        self._child = child if relay else None
        if self._stop.is_set():
            self._relay(signal.SIGTERM)
        try:
            return child.wait(look)
        finally:
            self._child = None
            child.end()
            reap_orphans(but=0)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            return
        self._stop_name = signal.Signals(number).name
        self._until = min(self._until, time.monotonic() + self._limits.stop)
        self._stop.set()
        self._relay(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    def _relay(self, number: signal.Signals) -> None:
        child = self._child
        if child is not None and child.process.poll() is None:
            child.process.send_signal(number)


class _Heartbeat:
    """How long the flow's event loop has not turned, by the touches of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._touched()
        self._at = time.monotonic()

    def silent_seconds(self) -> float:
        if (touched := self._touched()) != self._seen:
            self._seen, self._at = touched, time.monotonic()
        return time.monotonic() - self._at

    def _touched(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0


def ended(state_dir: Path) -> bool:
    """True when the journal says that the terminate call was made."""
    return _journal_holds(state_dir, b'"fact": "terminate_called"')


def _status_of_outcome(state_dir: Path) -> int:
    """What the journal's outcome comes to: for a flow that ended the instance and then hung."""
    from agent.journal.journal import read
    from agent.journal.progress import Progress
    from agent.outcome import EXPLAINED, Reason

    outcome = Progress.of(read(state_dir / JOURNAL)).ended
    try:
        return EXPLAINED[Reason(outcome.reason)].exit_status if outcome else 1
    except ValueError:
        return 1


def _journal_holds(state_dir: Path, fact: bytes) -> bool:
    try:
        with (state_dir / JOURNAL).open("rb") as journal:
            journal.seek(max(0, journal.seek(0, os.SEEK_END) - TAIL_BYTES))
            return fact in journal.read()
    except OSError:
        return False


def _set_earlier_life_aside(state_dir: Path) -> None:
    """A journal that ends with a terminate call is of a run before this one, and must not pass for the end of this one."""
    if not ended(state_dir):
        return
    for name in (JOURNAL, SPOOL):
        previous = state_dir / f"{name}.previous"
        with contextlib.suppress(OSError):
            if previous.is_dir():
                shutil.rmtree(previous)
            (state_dir / name).replace(previous)


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


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"runs-fleet-agent: {text}\n".encode())
