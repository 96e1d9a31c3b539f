"""Waits for a script of the runner, stops it once, kills all of it; also one that an earlier life of the agent started."""

import hashlib
import logging
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.deadline import Deadline
from agent.events import warning
from agent.runner.cgroup import RunnerCgroup, make
from agent.runner.identity import ProcessIdentity
from agent.runner.sweep import Sweep, find_running, kill_everything, kill_inside

__all__ = [
    "ProcessIdentity",
    "RunnerProcess",
    "attach",
    "find_running",
    "kill_inside",
]

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""Between two looks at what is left while a stopped runner winds up."""


class RunnerProcess:
    """A script of the runner with everything that it started; made by `start` or `attach`."""

    def __init__(
        self,
        sweep: Sweep,
        clock: Clock,
        child: subprocess.Popen[bytes] | None = None,
        cgroup: RunnerCgroup | None = None,
    ) -> None:
        """Takes over a process that leads a session of its own.

        Args:
            sweep: finds what is left of it.
            clock: for its waits.
            child: only where it is this process's own child.
            cgroup: that it was started in, where the agent may make one.
        """
        self._sweep = sweep
        self._clock = clock
        self._child = child
        self._cgroup = cgroup
        self._asked = False

    @property
    def identity(self) -> ProcessIdentity:
        return self._sweep.root

    @property
    def pid(self) -> int:
        return self.identity.pid

    def alive(self) -> bool:
        """True while the script itself runs."""
        return self.identity.alive() if self._child is None else self._child.poll() is None

    def poll(self) -> int | None:
        """The script's exit status, negative for a signal; None while it runs, and for ever when it is no child of ours."""
        return None if self._child is None else self._child.poll()

    def wait(self, seconds: float) -> int | None:
        """Waits for the script itself, at most the seconds; then as `poll`."""
        if self._child is None:
            self._pause(seconds)
            return None
        try:
            return self._child.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None

    def call_at_exit(self, callback: Callable[[], object]) -> None:
        """Calls it, in a thread of its own, once the script itself has ended; never where the kernel cannot tell."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:  # it has ended already, or this kernel has none
            callback()
            return

        def wait() -> None:
            try:
                ended = select.poll()
                ended.register(descriptor, select.POLLIN)
                ended.poll()
            finally:
                os.close(descriptor)
            callback()

        threading.Thread(target=wait, name="run.sh", daemon=True).start()

    def left(self) -> list[int]:
        """Pids of all that still runs, the script itself and strays included."""
        self.poll()
        return [identity.pid for identity in self._sweep.left()]

    def has_worker(self) -> bool:
        """Whether a worker, which runs the job's steps, is at work."""
        return any(_runs(pid, "Runner.Worker") for pid in self.left())

    def ask_to_stop(self) -> None:
        """Asks for a graceful end, at most once in the life of this object: a second signal would cut the clean-up short."""
        if self._asked:
            return
        self._asked = True
        if self.alive():
            self.identity.send(signal.SIGTERM)
        else:
            _ask_orphans(self._sweep.left())

    def settle(self, seconds: float) -> bool:
        """Waits until nothing of it is left, at most the seconds; true when nothing is."""
        deadline = Deadline.after(self._clock, seconds)
        self.left()  # so that those who lose their parent meanwhile are remembered
        while True:
            self.wait(min(LOOK_SECONDS, deadline.remaining()))
            ended = not self.alive()
            if ended and not self.left():
                return True
            if deadline.expired:
                return False
            if ended:
                self._pause(min(LOOK_SECONDS / 2, deadline.remaining()))

    def stop(self, grace_seconds: float) -> int | None:
        """One SIGTERM to the script, the grace period for all that it started, then SIGKILL to whatever is left.

        Returns:
            the script's exit status; None when anything had to be killed, or when it is no child of ours.
        """
        self.ask_to_stop()
        if not self.settle(grace_seconds):
            warning(log, "runner.killed", pid=self.pid, killed=self.kill_everything())
            return None
        return self.poll()

    def kill_everything(self) -> int:
        """Kills all of it now; returns how many processes that were. Bounded; never raises."""
        at_once = 0
        if self._cgroup is not None:
            at_once = len(self._cgroup.members())
            self._cgroup.kill()
        killed = kill_everything(self._sweep, clock=self._clock)
        if self._child is not None:
            self.wait(1.0)
        if self._cgroup is not None:
            self._cgroup.remove()
        return max(killed, at_once)

    def _pause(self, seconds: float) -> None:
        self._clock.wait(threading.Event(), seconds)


def attach(
    identity: ProcessIdentity, *, runner_dir: Path, clock: Clock, uid: int | None = None
) -> RunnerProcess:
    """Takes over a runner that an earlier life of the agent started; it may be gone already.

    Args:
        identity: `run.sh`'s, as noted when it was started.
        runner_dir: where its programs are.
        clock: for its waits.
        uid: the runner user's; the owner of the runner directory when not given.
    """
    if uid is None:
        uid = runner_dir.stat().st_uid if runner_dir.exists() else os.geteuid()
    cgroup = cgroup_of(runner_dir)
    return RunnerProcess(sweep_of(identity, runner_dir, uid, cgroup), clock, cgroup=cgroup)


def cgroup_of(runner_dir: Path) -> RunnerCgroup | None:
    """The same one for every life of the agent, and none but this runner directory's."""
    return make(hashlib.sha256(os.fsencode(runner_dir.resolve())).hexdigest()[:12])


def sweep_of(
    root: ProcessIdentity, runner_dir: Path, uid: int, cgroup: RunnerCgroup | None
) -> Sweep:
    if cgroup is None:
        return Sweep(root, runner_dir=runner_dir, uid=uid)
    return Sweep(root, runner_dir=runner_dir, uid=uid, members=cgroup.members)


def _ask_orphans(left: Sequence[ProcessIdentity]) -> None:
    """With the script gone nobody passes a signal on: the listener takes SIGINT, a worker without one SIGTERM."""
    for program, number in (("Runner.Listener", signal.SIGINT), ("Runner.Worker", signal.SIGTERM)):
        named = [identity for identity in left if _runs(identity.pid, program)]
        for identity in named:
            identity.send(number)
        if named:
            return


def _runs(pid: int, program: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return program in {os.fsdecode(word).rpartition("/")[2] for word in words[:3]}
