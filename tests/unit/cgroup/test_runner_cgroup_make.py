"""Where the agent may make a cgroup, and where it may not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.runner.cgroup import RunnerCgroup, make
from tests.unit.cgroup.conftest import (
    MAKE_AS_NOBODY,
    ROOT,
    Job,
)


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
