"""Real processes in a real cgroup. What is started holds the write end of a pipe: its end of file shows that all of it is gone."""

import logging
import os
import select
import signal
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
from agent.runner.identity import ProcessIdentity
from agent.runner.sweep import Sweep, kill_everything

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


def test_daemons_and_what_forks_all_the_time_are_gone_at_once(
    cgroup: RunnerCgroup, job: Job
) -> None:
    job.start(cgroup.procs_file, TREE)
    tree = job.pids(4)
    job.start(cgroup.procs_file, RESTLESS)
    job.lines(16)
    for pid in tree:
        os.kill(pid, signal.SIGTERM)
    assert len(tree) == 4
    assert tree <= set(cgroup.members())
    assert os.getpid() not in cgroup.members()
    assert cgroup.populated()
    assert cgroup.kill()
    assert job.gone()
    assert until(lambda: not cgroup.populated())
    assert cgroup.members() == ()


def test_it_can_be_used_again_after_a_kill(cgroup: RunnerCgroup, job: Job) -> None:
    assert cgroup.kill()
    job.start(cgroup.procs_file, WAITING)
    assert job.pids(1) == set(cgroup.members())


def test_what_is_frozen_is_killed(cgroup: RunnerCgroup, job: Job) -> None:
    job.start(cgroup.procs_file, TREE)
    job.lines(4)
    freeze(cgroup.path)
    assert cgroup.kill()
    assert job.gone()


def test_what_a_job_put_into_cgroups_of_its_own_is_killed(cgroup: RunnerCgroup, job: Job) -> None:
    inner = cgroup.path / "a" / "b"
    inner.mkdir(parents=True)
    (cgroup.path / "c").mkdir()
    job.start(cgroup.procs_file, WAITING)
    job.start(inner / "cgroup.procs", TREE)
    pids = job.pids(5)
    freeze(cgroup.path / "a")
    assert pids == set(cgroup.members())
    job.start(cgroup.path / "c" / "cgroup.procs", RESTLESS)
    job.lines(16)
    assert cgroup.kill()
    assert job.gone()
    assert until(lambda: not cgroup.populated())
    assert cgroup.remove()
    assert not cgroup.path.exists()


def test_what_holds_threads_only_is_listed_and_killed(cgroup: RunnerCgroup, job: Job) -> None:
    inner = cgroup.path / "threads"
    inner.mkdir()
    (inner / "cgroup.type").write_text("threaded")
    job.start(inner / "cgroup.procs", WAITING)
    assert job.pids(1) == set(cgroup.members())
    assert cgroup.kill()
    assert job.gone()


def test_a_restarted_agent_takes_over_the_cgroup_with_its_members(
    cgroup: RunnerCgroup, job: Job, name: str, logged: Callable[[], list[str]]
) -> None:
    job.start(cgroup.procs_file, WAITING)
    pids = job.pids(1)
    again = make(name)
    assert again == cgroup
    assert set(again.members()) == pids
    assert logged() == [f"INFO runner.cgroup path={cgroup.path} taken_over=True"]
    assert again.kill()
    assert job.gone()


def test_one_taken_over_is_thawed(cgroup: RunnerCgroup, job: Job, name: str) -> None:
    freeze(cgroup.path)
    assert make(name) == cgroup
    job.start(cgroup.procs_file, WAITING)
    assert job.pids(1) == set(cgroup.members())


def test_a_cgroup_with_members_is_not_removed(
    cgroup: RunnerCgroup, job: Job, logged: Callable[[], list[str]]
) -> None:
    job.start(cgroup.procs_file, WAITING)
    job.lines(1)
    assert not cgroup.remove()
    assert "INFO runner.cgroup_not_removed" in logged()[0]
    assert cgroup.populated()


def test_one_that_is_gone_is_empty(cgroup: RunnerCgroup, logged: Callable[[], list[str]]) -> None:
    assert cgroup.remove()
    assert cgroup.remove()
    assert cgroup.members() == ()
    assert not cgroup.populated()
    assert logged() == []
    assert not cgroup.kill()
    assert "WARNING runner.cgroup_not_killed" in logged()[0]


def test_a_process_never_kills_the_cgroup_that_it_is_in(cgroup: RunnerCgroup, job: Job) -> None:
    job.start(cgroup.procs_file, KILL_FROM_INSIDE, str(cgroup.path))
    why = 'why="this process is inside"'
    assert job.lines(2) == [
        f"WARNING runner.cgroup_not_killed path={cgroup.path} {why}",
        "False",
    ]
    assert job.statuses() == [0]


def test_the_sweep_takes_the_members_for_the_runners(
    cgroup: RunnerCgroup, job: Job, tmp_path: Path
) -> None:
    job.start(cgroup.procs_file, TREE)
    pids = job.pids(4)
    nobody = ProcessIdentity(2**22 + 1, 0)
    sweep = Sweep(nobody, runner_dir=tmp_path, uid=os.geteuid(), members=cgroup.members)
    assert {identity.pid for identity in sweep.left()} == pids
    assert kill_everything(sweep, clock=CLOCK) == 4
    assert job.gone()


def test_the_sweep_still_finds_what_moved_itself_out(
    cgroup: RunnerCgroup, job: Job, tmp_path: Path
) -> None:
    job.start(cgroup.procs_file, WAITING, cwd=tmp_path)
    (pid,) = job.pids(1)
    (cgroup.path.parent / "cgroup.procs").write_text(str(pid))
    nobody = ProcessIdentity(2**22 + 1, 0)
    sweep = Sweep(nobody, runner_dir=tmp_path, uid=os.geteuid(), members=cgroup.members)
    assert cgroup.kill()
    assert cgroup.members() == ()
    assert kill_everything(sweep, clock=CLOCK) == 1
    assert job.gone()


def test_a_slash_in_a_name_leads_nowhere_else(cgroup: RunnerCgroup, name: str) -> None:
    other = make(f"{name}/../x")
    assert other is not None
    removed = other.remove()
    assert other.path == cgroup.path.with_name(f"{cgroup.path.name}-..-x")
    assert removed


def test_a_mount_point_may_have_a_blank_and_show_a_part_of_the_tree(
    cgroup: RunnerCgroup, tmp_path: Path
) -> None:
    (tmp_path / "a b\\").symlink_to(cgroup.path)
    (cgroup.path / "own").mkdir()
    (tmp_path / "own").write_text("1:name=systemd:/x\n0::/outer/own\n")
    point = f"{tmp_path}/a\\040b\\134"
    (tmp_path / "mounts").write_text(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "40 31 0:38 /elsewhere /x rw - cgroup2 cgroup2 rw\n"
        f"41 31 0:38 /outer {point} rw,relatime shared:1 master:2 - cgroup2 cgroup2 rw\n"
    )
    inside = make("x", mounts=tmp_path / "mounts", own=tmp_path / "own")
    assert inside is not None
    assert inside.path.resolve() == cgroup.path / "own" / "runner-x"
    assert inside.path.samefile(cgroup.path / "own" / "runner-x")


V2 = "41 31 0:38 / {} rw,relatime - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("mounts", "own"),
    [
        pytest.param("32 31 0:29 / {} rw - cgroup cgroup rw,cpu\n", "0::/\n", id="v1-only"),
        pytest.param("41 31 0:38 / {} rw - tmpfs cgroup2 rw\n", "0::/\n", id="not-the-type"),
        pytest.param("", "", id="nothing"),
        pytest.param("41 31 - cgroup2 cgroup2 rw\n", "0::/\n", id="cut-short"),
        pytest.param(V2, "1:name=systemd:/\n", id="in-no-v2-cgroup"),
        pytest.param(V2, "0::/../..\n", id="outside-of-the-namespace"),
        pytest.param(V2, "0::/a (deleted)\n", id="removed"),
        pytest.param("41 31 0:38 /b {} rw - cgroup2 cgroup2 rw\n", "0::/a\n", id="not-shown"),
        pytest.param("41 31 0:38 /.. {} rw - cgroup2 cgroup2 rw\n", "0::/a\n", id="root-outside"),
        pytest.param(V2, "0::/\n", id="no-cgroupfs-there"),
        pytest.param(V2, "0::/\0\n", id="nul"),
    ],
)
def test_a_machine_without_a_cgroup_to_use_is_no_failure(
    tmp_path: Path, mounts: str, own: str, logged: Callable[[], list[str]]
) -> None:
    point = tmp_path / "point"
    point.mkdir()
    (tmp_path / "mounts").write_text(mounts.format(point))
    (tmp_path / "own").write_text(own)
    assert make("x", mounts=tmp_path / "mounts", own=tmp_path / "own") is None
    (line,) = logged()
    assert line.startswith("INFO runner.no_cgroup why=")
    assert list(point.iterdir()) == []


def test_an_old_kernel_without_kill_leaves_nothing_behind(
    tmp_path: Path, logged: Callable[[], list[str]]
) -> None:
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "mounts").write_text(V2.format(tmp_path))
    (tmp_path / "own").write_text("0::/\n")
    assert make("x", mounts=tmp_path / "mounts", own=tmp_path / "own") is None
    assert "No such file or directory" in logged()[0]
    assert not (tmp_path / "runner-x").exists()


def test_a_missing_proc_is_no_failure(tmp_path: Path, logged: Callable[[], list[str]]) -> None:
    assert make("x", mounts=tmp_path / "none", own=tmp_path / "none") is None
    assert len(logged()) == 1


@pytest.mark.parametrize("bad", ["a\0b", "a\nb", "x" * 5000, "\ud800"])
def test_a_name_that_cannot_be_is_no_failure(
    cgroup: RunnerCgroup, logged: Callable[[], list[str]], bad: str
) -> None:
    made = make(bad)
    removed = made is None or made.remove()
    assert made is None, f"removed: {removed}"
    assert len(logged()) == 1


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_the_right_to_write_there_is_none(cgroup: RunnerCgroup, name: str) -> None:
    """For a new one, and for root's own that is there."""
    for wanted in (f"{name}-new", name):
        done = subprocess.run(
            [sys.executable, "-S", "-c", MAKE_AS_NOBODY, wanted],
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.stdout.startswith("INFO runner.no_cgroup why=")
        assert "Permission denied" in done.stdout
        assert done.stderr == "none\n"
    assert not cgroup.path.with_name(f"{cgroup.path.name}-new").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_service_with_a_delegated_cgroup_needs_no_root(cgroup: RunnerCgroup, job: Job) -> None:
    for path in (cgroup.path, cgroup.procs_file):
        os.chown(path, 65534, 65534)
    job.start(cgroup.procs_file, MAKE_AS_NOBODY, "x")
    assert job.lines(2) == [
        f"INFO runner.cgroup path={cgroup.path}/runner-x taken_over=False",
        "killed",
    ]
    assert job.statuses() == [0]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_cgroup_that_nobody_could_be_moved_to_is_not_made(cgroup: RunnerCgroup, job: Job) -> None:
    os.chown(cgroup.path, 65534, 65534)
    job.start(cgroup.procs_file, MAKE_AS_NOBODY, "x")
    (line,) = job.lines(1)
    assert line.startswith("INFO runner.no_cgroup why=")
    assert "cgroup.procs" in line
    assert job.statuses() == [1]
    assert not (cgroup.path / "runner-x").exists()


def freeze(folder: Path) -> None:
    (folder / "cgroup.freeze").write_text("1")
    assert until(lambda: "frozen 1" in (folder / "cgroup.events").read_text())
