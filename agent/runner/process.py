"""Starts a script of the runner, waits for it, stops it once, kills all of it.

Its words go to a file, not into a pipe: nothing that the agent does or fails to do can block a job.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.deadline import Deadline
from agent.errors import Interrupted, RegistrationError, RunnerDirError
from agent.events import event, warning
from agent.outcome import Reason
from agent.runner import launcher
from agent.runner.identity import ProcessIdentity, read_stat
from agent.runner.sweep import Sweep, find_running, kill_everything, kill_inside
from agent.runner.user import RunnerUser

__all__ = [
    "ProcessIdentity",
    "RunnerProcess",
    "attach",
    "find_running",
    "kill_inside",
    "run_to_end",
    "start",
]

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""Between two looks at what is left while a stopped runner winds up."""


class RunnerProcess:
    """A script of the runner with everything that it started; made by `start` or `attach`."""

    def __init__(
        self, sweep: Sweep, clock: Clock, child: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Takes over a process that leads a session of its own; `child` only where it is this process's own child."""
        self._sweep = sweep
        self._clock = clock
        self._child = child
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

    def left(self) -> list[int]:
        """Pids of all that still runs, the script itself and strays included."""
        self.poll()
        return [identity.pid for identity in self._sweep.left()]

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
        killed = kill_everything(self._sweep, clock=self._clock)
        if self._child is not None:
            self.wait(1.0)
        return killed

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
    return RunnerProcess(Sweep(identity, runner_dir=runner_dir, uid=uid), clock)


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    user: RunnerUser,
    output: Path,
    clock: Clock,
) -> RunnerProcess:
    """Starts a command in a session of its own; on return it has been exec'd.

    stdin is empty; stdout and stderr are appended to one file, in their order; signals have their default action; umask 077.

    Args:
        command: program and arguments; no secrets, every user of the machine can read them.
        cwd: the runner's root. What runs from in there is regarded as the runner's.
        env: the whole environment; the launcher adds `launcher.MARK`.
        user: who runs it.
        output: made with mode 0600 where it is missing; it stays the agent's, so no job can open it.
        clock: for the waits of the process's later life.

    Raises:
        RunnerDirError: it cannot be executed, or the output file cannot be opened.
    """
    try:
        child = _launch(command, cwd, env, user, output)
    except OSError as exc:
        raise _cannot_start(command, cwd, f"{exc.strerror} ({exc.filename})") from exc
    stat = read_stat(child.pid)
    if stat is None:
        child.kill()
        raise _cannot_start(command, cwd, "/proc does not show it")
    event(log, "runner.process_started", command=command[0], pid=child.pid)
    return RunnerProcess(Sweep(stat.identity, runner_dir=cwd, uid=user.uid), clock, child)


def run_to_end(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    user: RunnerUser,
    output: Path,
    timeout_seconds: float,
    stop: threading.Event,
    clock: Clock,
) -> int:
    """Runs `config.sh` to its end and returns its exit status; the other arguments are those of `start`.

    Raises:
        RegistrationError: it did not end in time; all of it was killed. Transient.
        Interrupted: `stop` was set; all of it was killed.
        RunnerDirError: it cannot be executed.
    """
    process = start(command, cwd=cwd, env=env, user=user, output=output, clock=clock)
    deadline = Deadline.after(clock, timeout_seconds)
    while (exit_code := process.poll()) is None:
        if clock.wait(stop, min(0.02, deadline.remaining())):
            process.kill_everything()
            raise Interrupted(
                Reason.STOP_SIGNAL, f"{command[0]} was ended because a stop was asked for"
            )
        if deadline.expired:
            warning(log, "runner.timeout", command=command[0], killed=process.kill_everything())
            raise RegistrationError(
                f"{command[0]} did not end within {timeout_seconds:g} s and was killed",
                mend="read its lines in the runner stream; check the way to GitHub",
                transient=True,
            )
    return exit_code


def _launch(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], user: RunnerUser, output: Path
) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    words = os.open(output, flags, 0o600)
    complaints, far_end = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", launcher.__file__, str(far_end), _account(user), *command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
            pass_fds=(far_end,),
        )
    except OSError:
        os.close(complaints)
        raise
    finally:
        os.close(words)
        os.close(far_end)
    _await_exec(child, complaints, command[0])
    return child


def _await_exec(child: subprocess.Popen[bytes], complaints: int, program: str) -> None:
    """The descriptor closes by itself in a successful exec."""
    with os.fdopen(complaints, "rb") as reader:
        complaint = reader.read().decode(errors="replace")
    if complaint:
        child.wait()
        raise OSError(0, complaint, program)


def _account(user: RunnerUser) -> str:
    if not user.switch:
        return "null"
    return json.dumps({"id": [user.uid, user.gid], "groups": user.groups})


def _cannot_start(command: Sequence[str], cwd: Path, why: str) -> RunnerDirError:
    return RunnerDirError(
        f"{command[0]} cannot be started in {cwd}: {why}",
        mend="check that it is there and executable for RUNS_FLEET_RUNNER_USER, and the free disk space",
    )


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
    return program in {os.fsdecode(word).rpartition("/")[2] for word in words[:2]}
