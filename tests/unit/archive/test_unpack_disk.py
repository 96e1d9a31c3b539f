"""Unpacking onto disks that will not take it, and for another owner: real mounts, real uids."""

import gzip
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.archive.staging import Marker, installed, make_staging, put_in_place, sweep_leftovers
from agent.archive.unpack import unpack
from agent.clock import SystemClock
from agent.errors import RunnerDirError

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts and gives away"),
]
MARK = Marker("2.336.0", "x64", "a" * 64, "github")
NOBODY = 65534
MEBIBYTE = os.urandom(1 << 20)


def archive(megabytes: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name in ("run.sh", "config.sh", "run-helper.sh.template", "bin/Runner.Listener"):
            add(made, name, b"x")
        add(made, "bin/Runner.Worker", MEBIBYTE * megabytes)
        link = tarfile.TarInfo("bin/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../run.sh"
        made.addfile(link)
    return gzip.compress(out.getvalue(), 0)


def add(made: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o755, len(content)
    made.addfile(info, io.BytesIO(content))


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A volume of 4 MiB."""
    place = tmp_path / "volume"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounts are not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def unpack_into(tree: Path, megabytes: int, owner: tuple[int, int] | None = None) -> None:
    data = archive(megabytes)
    unpack(iter([data]), tree, clock=SystemClock(), stop=threading.Event(), owner=owner)


def test_a_full_disk_is_one_clear_error(volume: Path) -> None:
    tree = make_staging(volume / "actions-runner")
    with pytest.raises(RunnerDirError, match=r"No space left.*the volume's size"):
        unpack_into(tree, 8)


def test_a_full_disk_for_the_kept_archive_is_one_clear_error(volume: Path, tmp_path: Path) -> None:
    with pytest.raises(RunnerDirError, match="No space left"):
        unpack(
            iter([archive(8)]),
            tmp_path,
            clock=SystemClock(),
            stop=threading.Event(),
            keep=volume / "kept.tar.gz",
        )


def test_a_disk_that_is_read_only_is_one_clear_error(volume: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
    with pytest.raises(RunnerDirError, match="Read-only file system"):
        make_staging(volume / "actions-runner")


def test_everything_belongs_to_the_owner_asked_for_links_too(tmp_path: Path) -> None:
    staged = make_staging(tmp_path / "actions-runner")
    unpack_into(staged, 1, owner=(NOBODY, NOBODY))
    put_in_place(staged, tmp_path / "actions-runner", MARK, owner=(NOBODY, NOBODY))
    runner_dir = tmp_path / "actions-runner"
    owned = {path.name: path.lstat().st_uid for path in [runner_dir, *runner_dir.rglob("*")]}
    agents_own = owned.pop(".runs-fleet-runner.json")
    assert (agents_own, set(owned.values())) == (0, {NOBODY})


def test_a_volume_mounted_as_the_runner_directory_is_filled(volume: Path) -> None:
    (volume / "old").touch()
    (volume / "lost+found").mkdir()
    staged = make_staging(volume)
    assert staged.parent == volume
    unpack_into(staged, 1)
    put_in_place(staged, volume, MARK, owner=(NOBODY, NOBODY))
    assert installed(volume) == MARK
    assert volume.stat().st_uid == NOBODY
    assert {path.name for path in volume.iterdir()} == {
        ".runs-fleet-runner.json",
        "bin",
        "config.sh",
        "lost+found",
        "run-helper.sh.template",
        "run.sh",
    }


def test_leftovers_in_a_mounted_runner_directory_are_swept(volume: Path) -> None:
    make_staging(volume)
    assert sweep_leftovers(volume) == 1
    assert list(volume.iterdir()) == []
