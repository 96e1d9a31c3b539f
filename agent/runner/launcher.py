"""Becomes a command of the runner: signals, umask and user first, then exec. Run by path; standard library only.

A child inherits ignored signals, and a listener that starts with SIGINT ignored can never be stopped gracefully. `subprocess`
resets them only through `preexec_fn`, which is unsafe beside threads; a process of our own may do as it likes.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MARK = "RUNNER_STARTED_BY_AGENT"
"""Variable by which the runner's processes are known after they left its session: `pid.start_ticks` of `run.sh`."""


def main(arguments: Sequence[str]) -> int:
    """Takes the descriptor for complaints, `{"id", "groups", "processes"}` or `null`, a cgroup's `cgroup.procs` or nothing, and the command.

    Returns only on failure.
    """
    complaints, account, cgroup, *command = arguments
    os.set_inheritable(int(complaints), False)  # noqa: FBT003 - positional only
    try:
        _default_signals()
        _enter(cgroup)
        _be_killed_like_others()
        os.umask(0o077)
        environment = {**_given_environment(), MARK.encode(): _own_mark()}
        _become(json.loads(account))
        os.execvpe(command[0], command, environment)  # noqa: S606 - there is no shell here
    except OSError as exc:
        os.write(int(complaints), (exc.strerror or str(exc)).encode())
    return 127


def _default_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_DFL:
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                continue  # the C library keeps two real-time signals to itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter(cgroup: str) -> None:
    """Before the user is changed: only the agent may move anything. A runner without its cgroup is found by sweeping."""
    if cgroup:
        with suppress(OSError):
            Path(cgroup).write_text(str(os.getpid()))


def _be_killed_like_others() -> None:
    """When memory runs out: the agent's own score, which shields it, is inherited; the runner itself raises that of its steps."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")


def _given_environment() -> dict[bytes, bytes]:
    """As this process was given it: `os.environ` may hold an LC_CTYPE that Python added (PEP 538)."""
    block = Path("/proc/self/environ").read_bytes()
    pairs = (entry.partition(b"=") for entry in block.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}


def _own_mark() -> bytes:
    """`exec` keeps both the pid and the start time, so they name the command as well."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    return b"%d.%b" % (os.getpid(), fields[19])


def _become(account: dict[str, list[int]] | None) -> None:
    if account is None:
        return
    uid, gid = account["id"]
    _limit_processes(*account["processes"])
    os.setgroups(account["groups"])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _limit_processes(wanted: int = 0) -> None:
    """For the user as a whole. A fork bomb fills its own share; the agent is root, and the other half of the kernel's is left to it."""
    threads = int(Path("/proc/sys/kernel/threads-max").read_text())
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    most = wanted or min(threads, pids) // 2
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
