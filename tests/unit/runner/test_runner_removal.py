import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.errors import RunnerDirError
from agent.runner.removal import remove_runner

PLENTY = Deadline.after(SystemClock(), 3600)


def make_runner(parent: Path) -> Path:
    folder = parent / "runner"
    (folder / "bin").mkdir(parents=True)
    (folder / "run.sh").touch()
    (folder / "bin" / "Runner.Listener").touch()
    (folder / "_work" / "repo" / "repo").mkdir(parents=True)
    (folder / "_work" / "repo" / "repo" / "file").touch()
    (folder / "_diag").mkdir()
    return folder


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    return make_runner(tmp_path)


def test_nothing_of_the_runner_is_left(runner: Path) -> None:
    assert remove_runner(runner, deadline=PLENTY) == 0
    assert not runner.exists()


def test_what_is_gone_already_is_fine(tmp_path: Path) -> None:
    assert remove_runner(tmp_path / "nowhere", deadline=PLENTY) == 0


@pytest.mark.parametrize("content", [(), ("lost+found",)])
def test_a_directory_that_never_got_a_runner_leaves_nothing_to_do(
    tmp_path: Path, content: tuple[str, ...]
) -> None:
    for name in content:
        (tmp_path / name).mkdir()
    assert remove_runner(tmp_path, deadline=PLENTY) == 0


def test_what_belongs_to_the_volume_stays(runner: Path) -> None:
    (runner / "lost+found").mkdir()
    assert remove_runner(runner, deadline=PLENTY) == 0
    assert [path.name for path in runner.iterdir()] == ["lost+found"]


def test_links_are_removed_and_never_followed(runner: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (runner / "_work" / "link").symlink_to(outside)
    (runner / "_diag" / "link").symlink_to(outside / "precious")
    assert remove_runner(runner, deadline=PLENTY) == 0
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_a_runner_directory_that_is_a_link_is_refused(runner: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(runner)
    with pytest.raises(RunnerDirError, match="it is a link"):
        remove_runner(tmp_path / "link", deadline=PLENTY)
    assert (runner / "run.sh").exists()


def test_a_directory_that_is_no_runners_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(RunnerDirError, match="it holds no runner"):
        remove_runner(tmp_path, deadline=PLENTY)
    assert (tmp_path / "precious").exists()


HOME = Path(pwd.getpwuid(os.geteuid()).pw_dir)


@pytest.mark.parametrize("path", [p for p in (Path("/"), HOME, HOME.parent) if p.exists()])
def test_the_root_and_a_home_are_refused(path: Path) -> None:
    with pytest.raises(RunnerDirError, match="is in it"):
        remove_runner(path, deadline=PLENTY)


AS_AN_ORDINARY_USER = """
import os, sys
from pathlib import Path
from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.runner.removal import remove_runner

path = Path(sys.argv[1])
if os.geteuid() == 0:
    for each in [path.parent, path, *path.rglob("*")]:
        os.chown(each, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(remove_runner(path, deadline=Deadline.after(SystemClock(), 60)))
"""


def test_read_only_directories_do_not_stop_it() -> None:
    with tempfile.TemporaryDirectory() as parent:
        runner = make_runner(Path(parent))
        (runner / "_work" / "repo" / "repo").chmod(0o500)
        (runner / "_work" / "repo").chmod(0o000)
        (runner / "_diag").chmod(0o000)
        done = subprocess.run(
            [sys.executable, "-c", AS_AN_ORDINARY_USER, str(runner)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.stdout == "0\n", done.stderr
        assert not runner.exists()


def test_what_there_is_no_time_for_is_counted_and_the_next_try_goes_on(runner: Path) -> None:
    expired = Deadline(SystemClock(), 0.0)
    assert remove_runner(runner, deadline=expired) > 0
    assert (runner / "run.sh").exists()
    assert remove_runner(runner, deadline=PLENTY) == 0


class LateClock(SystemClock):
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def test_a_removal_that_was_cut_short_still_looks_like_a_runner(runner: Path) -> None:
    clock = LateClock()
    left = remove_runner(runner, deadline=Deadline(clock, 5.0))
    assert left > 0
    assert (runner / "run.sh").exists()
    assert (runner / "bin" / "Runner.Listener").exists()


def test_a_tree_deeper_than_any_build_is_left_and_counted_not_a_crash(runner: Path) -> None:
    folder = runner / "_work"
    for _ in range(250):
        folder = folder / "d"
        folder.mkdir()
    assert remove_runner(runner, deadline=PLENTY) == 1
