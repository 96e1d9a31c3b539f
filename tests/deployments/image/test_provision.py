"""The provisioning script by itself, below a directory, against the embedded GitHub."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.archive.staging import MARKER, Marker, installed
from agent.localcloud.github import GitHub
from agent.localcloud.runner.build import BuiltArchive, build_archive
from agent.localcloud.runner.scenario import Scenario
from flows.api.database import NAME, revision, wanted_revision
from tests.deployments.scripts import assert_clean
from tests.deployments.standins import INSTALL, ROOT

PROVISION = ROOT / "deployments/image/provision.sh"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the runner to its user"),
    pytest.mark.skipif(shutil.which("systemctl") is None, reason="there is no systemctl here"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> BuiltArchive:
    return build_archive(tmp_path_factory.mktemp("release"), Scenario())


class Bakery:
    """What the script is given, and how it fared."""

    def __init__(self, directory: Path, archive: BuiltArchive, github_url: str) -> None:
        self.root = directory / "root"
        self.runner = self.root / "opt/actions-runner"
        self.root.mkdir()
        (directory / "install.sh").write_text(INSTALL)
        (directory / "artefact").write_bytes(b"the agent")
        self._given = {
            "--artefact": str(directory / "artefact"),
            "--artefact-sha256": "a" * 64,
            "--install": str(directory / "install.sh"),
            "--runner-version": archive.version,
            "--runner-sha256": archive.sha256,
            "--root": str(self.root),
            "--github-url": github_url,
        }

    def bake(self, **other: str) -> "subprocess.CompletedProcess[str]":
        changed = {f"--{name.replace('_', '-')}": value for name, value in other.items()}
        given = [word for pair in {**self._given, **changed}.items() for word in pair]
        return subprocess.run(
            ["bash", str(PROVISION), *given],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.fixture
def bakery(tmp_path: Path, archive: BuiltArchive) -> Iterator[Bakery]:
    github = GitHub(archive)
    github.start()
    yield Bakery(tmp_path, archive, github.url)
    github.stop()


def test_what_an_instance_needs_is_there(bakery: Bakery, archive: BuiltArchive) -> None:
    done = bakery.bake()
    assert done.returncode == 0, done.stderr
    assert installed(bakery.runner) == Marker(
        archive.version, archive.arch, archive.sha256, "image"
    )
    others = {path.name for path in bakery.runner.rglob("*") if path.stat().st_uid != 4711}
    assert others == {MARKER}
    state = bakery.root / "var/lib/runs-fleet"
    assert revision(state / "prefect" / NAME) == wanted_revision()
    assert state.stat().st_mode & 0o777 == 0o700
    wanted = bakery.root / "etc/systemd/system/timers.target.wants/runs-fleet-dead-man.timer"
    assert wanted.is_symlink(), "an instance without user data would live for ever"


def test_it_can_be_run_again(bakery: Bakery) -> None:
    assert bakery.bake().returncode == 0
    (bakery.runner / "left-alone").touch()
    again = bakery.bake()
    assert again.returncode == 0
    assert "is already in" in again.stdout
    assert (bakery.runner / "left-alone").exists()


def test_an_archive_with_another_digest_is_not_baked(bakery: Bakery) -> None:
    done = bakery.bake(runner_sha256="0" * 64)
    assert done.returncode != 0
    assert "has SHA-256" in done.stderr
    assert not bakery.runner.exists()


def test_a_version_that_github_does_not_have(bakery: Bakery) -> None:
    done = bakery.bake(runner_version="1.2.3")
    assert done.returncode == 1
    assert "-1.2.3.tar.gz could not be fetched from http://127.0.0.1" in done.stderr


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("artefact", "/nowhere"),
        ("install", "/nowhere"),
        ("artefact_sha256", "none"),
        ("runner_sha256", "A" * 64),
        ("runner_version", "latest"),
        ("root", "/nowhere"),
        ("rooot", "/"),
    ],
)
def test_bad_input_is_one_line(bakery: Bakery, argument: str, value: str) -> None:
    done = bakery.bake(**{argument: value})
    assert done.returncode == 2
    assert done.stderr.startswith("provision.sh: ")
    assert done.stderr.endswith("; see --help\n")
    assert done.stderr.count("\n") == 1
    assert list(bakery.root.iterdir()) == []


def test_it_is_clean_shell() -> None:
    assert_clean(PROVISION.read_text())
