import os
from pathlib import Path

import pytest

from agent.archive.staging import Marker, installed
from agent.bake import bake, main
from agent.errors import ArchiveError, DigestMismatch
from agent.localcloud.runner.build import BuiltArchive, build_archive
from agent.localcloud.runner.scenario import Scenario

ME = (os.geteuid(), os.getegid())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> BuiltArchive:
    return build_archive(tmp_path_factory.mktemp("release"), Scenario(), filler_files=3)


def put(archive: BuiltArchive, runner: Path, sha256: str | None = None) -> bool:
    return bake(
        archive.path,
        runner,
        version=archive.version,
        arch=archive.arch,
        sha256=sha256 or archive.sha256,
        owner=ME,
    )


def test_the_agent_takes_what_was_baked_for_the_runner(
    archive: BuiltArchive, tmp_path: Path
) -> None:
    assert put(archive, tmp_path / "runner")
    marker = Marker(archive.version, archive.arch, archive.sha256, "image")
    assert installed(tmp_path / "runner") == marker
    assert [path.name for path in tmp_path.iterdir()] == ["runner"]


def test_what_is_there_already_is_left_alone(archive: BuiltArchive, tmp_path: Path) -> None:
    put(archive, tmp_path / "runner")
    assert not put(archive, tmp_path / "runner")


def test_a_wrong_digest_leaves_what_was_there(archive: BuiltArchive, tmp_path: Path) -> None:
    put(archive, tmp_path / "runner")
    with pytest.raises(DigestMismatch, match="not 0000"):
        put(archive, tmp_path / "runner", "0" * 64)
    marker = installed(tmp_path / "runner")
    assert marker is not None
    assert marker.sha256 == archive.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["runner"]


def test_what_is_no_archive_is_refused(archive: BuiltArchive, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("not found")
    with pytest.raises(ArchiveError):
        bake(
            tmp_path / "page.html",
            tmp_path / "runner",
            version="1.2.3",
            arch="x64",
            sha256="0" * 64,
            owner=ME,
        )


def test_the_command_says_what_it_did_or_what_is_wrong(
    archive: BuiltArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(sha256: str) -> int:
        options = ("--version", archive.version, "--arch", archive.arch, "--sha256", sha256)
        owner = ("--owner", f"{ME[0]}:{ME[1]}")
        return main([str(archive.path), str(tmp_path / "runner"), *options, *owner])

    assert command("0" * 64) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert command(archive.sha256) == 0
    assert (
        capsys.readouterr().out == f"runner {archive.version} is put into {tmp_path / 'runner'}\n"
    )
    assert command(archive.sha256) == 0
    assert "is already in" in capsys.readouterr().out
