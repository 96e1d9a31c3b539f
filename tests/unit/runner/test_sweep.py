import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runner.identity import ProcessIdentity, all_processes, read_stat
from agent.runner.sweep import Sweep

NOBODY = ProcessIdentity(2**22 + 1, 0)
"""A root that is long gone: no pid is that large."""
WAITING = [sys.executable, "-c", "print('ready', flush=True); input()"]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of another session, working inside the runner directory, with somebody's tracking id."""
    environment = {**os.environ, "RUNNER_TRACKING_ID": f"github_{tmp_path}"}
    with subprocess.Popen(
        WAITING,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


def pids(sweep: Sweep) -> list[int]:
    return [identity.pid for identity in sweep.left()]


def test_what_works_inside_the_runner_directory_is_the_runners(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert pids(Sweep(NOBODY, runner_dir=tmp_path, uid=os.geteuid())) == [stranger.pid]


def test_another_users_process_inside_the_runner_directory_is_not(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert pids(Sweep(NOBODY, runner_dir=tmp_path, uid=os.geteuid() + 1)) == []


def test_a_process_older_than_the_runner_is_not_the_runners(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    later = ProcessIdentity(NOBODY.pid, 2**60)
    assert pids(Sweep(later, runner_dir=tmp_path, uid=os.geteuid())) == []


def test_the_tracking_id_of_somebody_elses_job_means_nothing(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    inside = tmp_path / "runner"
    inside.mkdir()
    assert pids(Sweep(NOBODY, runner_dir=inside, uid=os.geteuid())) == []


def test_a_cgroup_may_name_further_members(
    stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    inside = tmp_path / "runner"
    inside.mkdir()
    sweep = Sweep(NOBODY, runner_dir=inside, uid=os.geteuid(), members=lambda: [stranger.pid])
    assert pids(sweep) == [stranger.pid]


def test_the_agent_its_session_and_its_ancestors_are_never_named() -> None:
    with subprocess.Popen(WAITING, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sibling:
        everybody = [stat.pid for stat in all_processes()]
        sweep = Sweep(
            NOBODY, runner_dir=Path.cwd(), uid=os.geteuid(), members=lambda: [*everybody, 1, 2]
        )
        named = pids(sweep)
        sibling.kill()
    assert not {os.getpid(), os.getppid(), sibling.pid, 1, 2} & set(named)


def test_a_process_is_known_by_its_pid_and_start_time() -> None:
    stat = read_stat(os.getpid())
    assert stat is not None
    assert stat.identity.alive()
    assert not ProcessIdentity(os.getpid(), stat.identity.start_ticks + 1).alive()
    assert not NOBODY.alive()
    assert not NOBODY.send(0)


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as child:
        stat = read_stat(child.pid)
        assert stat is not None
        assert stat.identity.alive()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not stat.identity.alive()


@pytest.mark.parametrize("name", ["sleep) 0 (x", "a b\nc", ")("])
def test_a_process_name_cannot_shift_the_fields(tmp_path: Path, name: str) -> None:
    (tmp_path / "7").mkdir()
    rest = "S 3 7 5 " + " ".join(["0"] * 15) + " 4711 0"
    (tmp_path / "7" / "stat").write_text(f"7 ({name}) {rest}")
    stat = read_stat(7, tmp_path)
    assert stat is not None
    assert (stat.parent, stat.session, stat.identity.start_ticks) == (3, 5, 4711)


def test_a_cut_short_stat_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (sh) S 3")
    assert list(all_processes(tmp_path)) == []
