import json
import os
import subprocess
from pathlib import Path

import pytest

from agent.archive.staging import (
    MARKER,
    Marker,
    check_layout,
    installed,
    make_staging,
    put_in_place,
    sweep_leftovers,
)
from agent.errors import ArchiveError, RunnerDirError

MARK = Marker("2.336.0", "x64", "a" * 64, "github")
WRONG_TYPES = json.dumps({"version": 2, "arch": "x64", "sha256": "a", "source": "github"})
PROGRAMS = ("run.sh", "config.sh", "bin/Runner.Listener", "bin/Runner.Worker")


def lay_out(tree: Path) -> Path:
    for name in (*PROGRAMS, "run-helper.sh.template"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        path.chmod(0o755)
    return tree


def test_a_staged_runner_becomes_the_runner_and_is_known_again(tmp_path: Path) -> None:
    runner_dir = tmp_path / "actions-runner"
    staged = lay_out(make_staging(runner_dir))
    put_in_place(staged, runner_dir, MARK)
    assert installed(runner_dir) == MARK
    assert [path.name for path in tmp_path.iterdir()] == ["actions-runner"]


def test_an_older_runner_is_replaced(tmp_path: Path) -> None:
    runner_dir = lay_out(tmp_path / "actions-runner")
    (runner_dir / "old").touch()
    put_in_place(lay_out(make_staging(runner_dir)), runner_dir, MARK)
    assert not (runner_dir / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["actions-runner"]


def test_leftovers_of_a_crash_are_swept_and_nothing_else(tmp_path: Path) -> None:
    runner_dir = tmp_path / "actions-runner"
    make_staging(runner_dir)
    (tmp_path / ".actions-runner.staging-x.tar.gz").touch()
    (tmp_path / "other").touch()
    assert sweep_leftovers(runner_dir) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("name", [*PROGRAMS, "run-helper.sh.template"])
def test_a_tree_without_one_of_its_files_is_no_runner(tmp_path: Path, name: str) -> None:
    (lay_out(tmp_path) / name).unlink()
    with pytest.raises(ArchiveError, match=name):
        check_layout(tmp_path)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_must_be_executable_and_no_link(tmp_path: Path, name: str) -> None:
    program = lay_out(tmp_path) / name
    program.chmod(0o644)
    with pytest.raises(ArchiveError, match=name):
        check_layout(tmp_path)
    program.unlink()
    program.symlink_to("/bin/true")
    with pytest.raises(ArchiveError, match=name):
        check_layout(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 1}', "{" * 9, "[" * 99_999, WRONG_TYPES],
    ids=lambda text: text[:20],
)
def test_a_runner_with_a_broken_marker_is_not_used(tmp_path: Path, text: str) -> None:
    (lay_out(tmp_path) / MARKER).write_text(text)
    assert installed(tmp_path) is None


def test_a_runner_that_lost_a_file_is_not_used(tmp_path: Path) -> None:
    put_in_place(lay_out(make_staging(tmp_path / "r")), tmp_path / "r", MARK)
    (tmp_path / "r/run.sh").unlink()
    assert installed(tmp_path / "r") is None


def test_an_absent_runner_is_simply_absent(tmp_path: Path) -> None:
    assert installed(tmp_path / "nothing") is None


def test_a_parent_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunnerDirError, match="RUNS_FLEET_RUNNER_DIR"):
        make_staging(tmp_path / "file" / "actions-runner")


def test_the_marker_names_version_digest_and_source(tmp_path: Path) -> None:
    put_in_place(lay_out(make_staging(tmp_path / "r")), tmp_path / "r", MARK)
    assert json.loads((tmp_path / "r" / MARKER).read_bytes())["sha256"] == "a" * 64


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_of_ours_among_what_is_not_is_filled(tmp_path: Path) -> None:
    runner_dir = tmp_path / "actions-runner"
    runner_dir.mkdir()
    tmp_path.chmod(0o555)
    try:
        for _ in "twice":
            put_in_place(lay_out(make_staging(runner_dir)), runner_dir, MARK)
        assert installed(runner_dir) == MARK
        assert {path.name for path in runner_dir.iterdir()} == {
            *("run.sh", "config.sh", "bin", "run-helper.sh.template", MARKER)
        }
    finally:
        tmp_path.chmod(0o755)


def test_an_empty_directory_made_beforehand_becomes_the_runner(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    put_in_place(lay_out(make_staging(tmp_path / "r")), tmp_path / "r", MARK)
    assert installed(tmp_path / "r") == MARK


def test_a_name_with_brackets_is_swept_all_the_same(tmp_path: Path) -> None:
    make_staging(tmp_path / "[runner]")
    assert sweep_leftovers(tmp_path / "[runner]") == 1


def test_a_staging_too_deep_for_python_does_not_keep_the_sweep(tmp_path: Path) -> None:
    runner = tmp_path / "actions-runner"
    runner.mkdir()
    deep, flat = make_staging(runner), make_staging(runner)
    subprocess.run(["mkdir", "-p", str(deep / "/".join("a" * 1500))], check=True, timeout=30)
    assert sweep_leftovers(runner) == 2
    assert not flat.exists()
    # pytest's own clean-up stumbles over it as well.
    subprocess.run(["rm", "-rf", str(deep)], check=True, timeout=30)
