"""Starts a script of the runner, in a session and a cgroup of its own.

Its words go to a file, not into a pipe: nothing that the agent does or fails to do can block a job.
"""

import json
import logging
import os
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
from agent.runner.cgroup import RunnerCgroup
from agent.runner.identity import read_stat
from agent.runner.process import RunnerProcess, cgroup_of, sweep_of
from agent.runner.user import RunnerUser

log = logging.getLogger(__name__)


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
    cgroup = cgroup_of(cwd)
    try:
        child = _launch(command, cwd, env, user, output, cgroup=cgroup)
    except OSError as exc:
        raise _cannot_start(command, cwd, f"{exc.strerror} ({exc.filename})") from exc
    stat = read_stat(child.pid)
    if stat is None:
        child.kill()
        raise _cannot_start(command, cwd, "/proc does not show it")
    event(log, "runner.process_started", command=command[0], pid=child.pid)
    return RunnerProcess(sweep_of(stat.identity, cwd, user.uid, cgroup), clock, child, cgroup)


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
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    user: RunnerUser,
    output: Path,
    *,
    cgroup: RunnerCgroup | None,
) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    words = os.open(output, flags, 0o600)
    complaints, far_end = os.pipe()
    try:
        child = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", launcher.__file__),
                *(str(far_end), _account(user)),
                str(cgroup.procs_file) if cgroup is not None else "",
                *command,
            ],
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
    processes = [user.max_processes] if user.max_processes else []
    return json.dumps({"id": [user.uid, user.gid], "groups": user.groups, "processes": processes})


def _cannot_start(command: Sequence[str], cwd: Path, why: str) -> RunnerDirError:
    return RunnerDirError(
        f"{command[0]} cannot be started in {cwd}: {why}",
        mend="check that it is there and executable for RUNS_FLEET_RUNNER_USER, and the free disk space",
    )
