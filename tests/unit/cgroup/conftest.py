"""Real processes in a real cgroup. What is started holds the write end of a pipe: its end of file shows that all of it is gone."""

import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import agent
from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.runner.cgroup import RunnerCgroup, make

CLOCK = SystemClock()
ROOT = Path(agent.__file__).parents[1]
ENTER = 'echo $$ > "$1" && shift && exec "$@"'
"""As the launcher: the process itself writes its pid, then becomes the command."""
LOOK = "import select; os.write(1, b'%d\\n' % os.getpid()); select.select([], [], [], 20)"
"""Each process ends by itself after 20 s, whatever becomes of the test."""
WAITING = f"import os; {LOOK}"
TREE = f"""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
{LOOK}
"""
"""Two processes, each with a daemon: another session, the parent gone, SIGTERM ignored."""
RESTLESS = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
for _ in range(4):
    os.fork()
turns = 0
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
    turns += 1
    if turns == 20:
        os.write(1, b"%d\\n" % os.getpid())
"""
"""Sixteen, none with the same pid for longer than a fork takes: who kills them by their pids comes too late."""
KILL_FROM_INSIDE = """
import logging, pathlib, sys
from agent.runner.cgroup import RunnerCgroup
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
print(RunnerCgroup(pathlib.Path(sys.argv[1])).kill(), flush=True)
"""
MAKE_AS_NOBODY = """
import logging, os, sys
from agent.runner.cgroup import make
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
made = make(sys.argv[1])
if made is None:
    raise SystemExit("none")
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    made.procs_file.write_text(str(os.getpid()))
    os.write(writer, b"inside")
    import select
    select.select([], [], [], 20)
    os._exit(0)
os.read(reader, 6)
assert made.members() == (child,)
assert made.kill()
assert os.waitpid(child, 0)[1] == 9
print("killed", flush=True)
"""


class Job:
    """What a test starts inside a cgroup, known by one pipe that all of it holds."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._reader, self._writer = os.pipe()
        self._closed = False

    def start(self, procs_file: Path, program: str, *arguments: str, cwd: Path = ROOT) -> None:
        command = [sys.executable, "-S", "-c", program, *arguments]
        self._children.append(
            subprocess.Popen(
                ["/bin/sh", "-c", ENTER, "sh", procs_file, *command],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=self._writer,
                start_new_session=True,
            )
        )

    def lines(self, count: int) -> list[str]:
        """The next lines; they are short, so each comes whole."""
        said = b""
        while said.count(b"\n") < count:
            assert select.select([self._reader], [], [], 10)[0], f"only {said!r}"
            said += os.read(self._reader, 4096)
        return said.decode().splitlines()

    def pids(self, count: int) -> set[int]:
        return set(map(int, self.lines(count)))

    def gone(self, seconds: float = 2) -> bool:
        """Whether nobody holds the pipe any more within the time."""
        if not self._closed:
            os.close(self._writer)
            self._closed = True
        deadline = Deadline.after(CLOCK, seconds)
        while select.select([self._reader], [], [], deadline.remaining())[0]:
            if not os.read(self._reader, 4096):
                return True
        return False

    def statuses(self) -> list[int]:
        return [child.wait(10) for child in self._children]

    def close(self) -> None:
        for child in self._children:
            child.kill()
        gone = self.gone()
        os.close(self._reader)
        self.statuses()
        assert gone, "something outlived the cgroup and its own parent"


def until(true: Callable[[], bool], seconds: float = 2) -> bool:
    deadline = Deadline.after(CLOCK, seconds)
    while not true() and not deadline.expired:
        CLOCK.wait(threading.Event(), 0.01)
    return true()


def kill(cgroup: RunnerCgroup) -> None:
    """By itself, so that a test of a broken `kill` leaves nothing."""
    if cgroup.path.exists():
        (cgroup.path / "cgroup.kill").write_text("1")


@pytest.fixture
def name(tmp_path: Path) -> str:
    return f"test-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def cgroup(name: str) -> Iterator[RunnerCgroup]:
    made = make(name)
    if made is None:
        pytest.skip("needs cgroup v2, Linux 5.14 and root (or a delegated cgroup)")
    yield made
    kill(made)
    assert until(lambda: not made.populated()), f"left: {made.members()}"
    assert until(made.remove), f"cannot remove {made.path}"


@pytest.fixture
def job(cgroup: RunnerCgroup) -> Iterator[Job]:
    job = Job()
    yield job
    kill(cgroup)
    job.close()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "agent.runner.cgroup")
    return lambda: [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def freeze(folder: Path) -> None:
    (folder / "cgroup.freeze").write_text("1")
    assert until(lambda: "frozen 1" in (folder / "cgroup.events").read_text())
