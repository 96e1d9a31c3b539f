"""A child process of the guardian: started, waited for within limits, ended with all of its group. Standard library only."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KILL_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""Between two looks at what is not the child's exit; its exit is seen at once."""


class Child:
    """A process that leads a session, and so a process group, of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Takes over a process that was just started."""
        self.process = process
        try:
            self._pidfd: int | None = os.pidfd_open(process.pid)
        except OSError:
            self._pidfd = None

    @classmethod
    def start(
        cls, command: Sequence[str], environment: Mapping[str, str], *, inherits: Sequence[int] = ()
    ) -> "Child":
        """Starts it.

        Raises:
            OSError: it cannot be started.
        """
        return cls(
            subprocess.Popen(
                command, env=dict(environment), start_new_session=True, pass_fds=tuple(inherits)
            )
        )

    def wait(self, look: Callable[[], bool]) -> int | None:
        """Its exit status; None when `look`, which is asked about once a second, had enough of it."""
        poller = select.poll()
        if self._pidfd is not None:
            poller.register(self._pidfd, select.POLLIN)
        while (status := self.process.poll()) is None:
            reap_orphans(but=self.process.pid)
            poller.poll(LOOK_SECONDS * 1000 if self._pidfd is not None else LOOK_SECONDS * 100)
            if self.process.poll() is None and not look():
                return None
        return status

    def continue_if_stopped(self) -> None:
        """Wakes a child that somebody has stopped (SIGSTOP): nobody else would."""
        with contextlib.suppress(OSError, IndexError):
            text = Path(f"/proc/{self.process.pid}/stat").read_bytes()
            if text.rpartition(b")")[2].split()[0] in (b"T", b"t"):
                os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Nothing of its group stays, Prefect's server included; the runner has a session of its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(KILL_SECONDS)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def reap_orphans(*, but: int) -> None:
    """Takes the exit status of every orphan that came to us as the subreaper: a job may make thousands, and pids run out."""
    with contextlib.suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == but:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)
