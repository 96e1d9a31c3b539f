"""Nothing of a job survives the kill of its cgroup."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from agent.runner.cgroup import RunnerCgroup, make
from agent.runner.identity import ProcessIdentity
from agent.runner.sweep import Sweep, kill_everything
from tests.unit.cgroup.conftest import (
    CLOCK,
    KILL_FROM_INSIDE,
    RESTLESS,
    TREE,
    WAITING,
    Job,
    freeze,
    until,
)


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
