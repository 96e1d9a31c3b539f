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
from agent.guardian.limits import FALSE, Limits
from agent.guardian.lock import Held, lock
from agent.guardian.pulse import OPTION, Pulse
from agent.guardian.systemd import Systemd, without_systemd

FLOW = (sys.executable, "-m", "flows")
PLAIN = "--plain"
"""The flow's pipeline without Prefect: what is tried last."""
END = (sys.executable, "-m", "agent", "end", "--after-flow")
JOURNAL = "journal.jsonl"
SPOOL = "logs"
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
            _say(
                f"another agent is at work on {state_dir}; this one ends and changes nothing:"
                " see `runs-fleet-agent status`, or give this one a RUNS_FLEET_STATE_DIR of its own"
            )
            return BUSY_EXIT
        _set_earlier_life_aside(state_dir)
        _become_subreaper()
        systemd = Systemd(environment)
        systemd.ready()
        limits = limits or Limits.of(environment)
        guardian = _Guardian(without_systemd(environment), state_dir, limits, held, systemd)
        stack.enter_context(guardian.relaying())
        status = guardian.run_flow(flow, pauses)
        if guardian.ended_by_flow:
            return status if status in (0, 1, SETTINGS_EXIT) else guardian.told_status()
        guardian.bring_about_the_end(end)
        return SETTINGS_EXIT if status == SETTINGS_EXIT else 1


class _Guardian:
    """One run: the stop request that came, and the time that is left."""

    def __init__(
        self,
        environment: Mapping[str, str],
        state_dir: Path,
        limits: Limits,
        held: Held,
        systemd: Systemd,
    ) -> None:
        self._environment = environment
        self._state_dir = state_dir
        self._limits = limits
        self._held = held
        self._systemd = systemd
        self._until = time.monotonic() + limits.flow
        self._stop_name = ""
        self._stop = threading.Event()
        self._child: Child | None = None
        self._told: int | None = None

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

    @property
    def ended_by_flow(self) -> bool:
        """Whether the flow has ended the instance, by the journal or, where the disk takes none, by its own word."""
        return self._told is not None or ended(self._state_dir)

    def told_status(self) -> int:
        """What the run comes to, where the flow ended the instance and then did not end itself."""
        return _status_of_outcome(self._state_dir) if self._told is None else self._told

    def bring_about_the_end(self, command: Sequence[str]) -> None:
        """Runs `end` until the instance is being ended; an instance that nobody can end costs money for ever."""
        until = time.monotonic() + self._limits.tries
        while not self._run_end(command) and not ended(self._state_dir):
            if _power_off(self._environment) or time.monotonic() >= until:
                return
            _say(f"`end` is tried again in {self._limits.pause:g} s")
            threading.Event().wait(self._limits.pause)
            self._systemd.alive()

    def _run_end(self, command: Sequence[str]) -> bool:
        stopped_by = ("--stopped-by", self._stop_name) if self._stop_name else ()
        until = time.monotonic() + self._limits.end
        # It gets no stop signal: it is the end already.
        whole = (*command, *stopped_by)
        return self._run(whole, lambda: time.monotonic() < until, relay=False) == 0

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
        return over or self.ended_by_flow or _journal_holds(self._state_dir, b'"fact": "ended"')

    def _one_life(self, command: Sequence[str]) -> int | None:
        pulse = Pulse()
        ended_at: float | None = None

        def look() -> bool:
            nonlocal ended_at
            silent = pulse.silent_seconds()
            if pulse.exit_status is not None or ended(self._state_dir):
                ended_at = ended_at or time.monotonic()
                return time.monotonic() - ended_at < self._limits.after_end
            if self._child is not None:
                self._child.continue_if_stopped()
            if silent > self._limits.silent:
                _say("the flow hangs and is killed")
                return False
            if time.monotonic() < self._until:
                return True
            _say("the flow is over its limit and is killed")
            return False

        try:
            return self._run(
                [*command, f"{OPTION}{pulse.writes}"], look, relay=True, inherits=(pulse.writes,)
            )
        finally:
            pulse.close()
            self._told = pulse.exit_status

    def _run(
        self,
        command: Sequence[str],
        look: Callable[[], bool],
        *,
        relay: bool,
        inherits: tuple[int, ...] = (),
    ) -> int | None:
        held = () if self._held.descriptor is None else (self._held.descriptor,)
        try:
            child = Child.start(command, self._environment, inherits=(*held, *inherits))
        except OSError as exc:
            _say(f"{command[-1]} cannot be started: {exc}")
            return None
        self._held.note(os.getpid(), child.process.pid)
        self._child = child if relay else None
        if self._stop.is_set():
            self._relay(signal.SIGTERM)

        def look_and_tell() -> bool:
            self._systemd.alive()
            return look()

        try:
            return child.wait(look_and_tell)
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


def _power_off(environment: Mapping[str, str]) -> bool:
    """True when the machine is being switched off, or is not to be."""
    command = environment.get("RUNS_FLEET_POWER_OFF_COMMAND", "")
    dry_run = environment.get("RUNS_FLEET_DRY_RUN", "").lower() not in ("", *FALSE)
    if not command.strip() or dry_run:
        _say(
            "the instance could not be ended; terminate it by hand in EC2, and see the lines above for why"
        )
        return dry_run
    _say(f"the instance could not be ended; running the power-off command: {command}")
    try:
        done = subprocess.run(shlex.split(command), check=False, timeout=KILL_SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        _say(f"the power-off command failed: {exc}")
        return False
    return done.returncode == 0


def _become_subreaper() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"runs-fleet-agent: {text}\n".encode())
