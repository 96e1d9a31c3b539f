"""install.sh for real, into a directory: from a small artefact, and from files that behave as one and take no time."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployments.artefact.conftest import UNITS, Built

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "deployments/install/install.sh"
PATH = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
Install = Callable[..., "subprocess.CompletedProcess[str]"]
LIKE_AN_ARTEFACT = """
import os, pathlib, sys
assert os.environ["PEX_TOOLS"] == "1" and sys.argv[1] == "venv"
into = pathlib.Path(sys.argv[2])
(into / "bin").mkdir(parents=True)
(into / "bin/python").symlink_to(sys.executable)
program = into / "bin/runs-fleet-agent"
program.write_text("#!/bin/sh\\necho runs-fleet-agent VERSION\\n")
program.chmod(0o755)
units = into / "lib/python3.99/site-packages/agent/units"
units.mkdir(parents=True)
for name in UNITS:
    (units / name).touch()
"""


@pytest.fixture
def like(tmp_path: Path) -> Callable[[str], Built]:
    """Makes a file that behaves as the artefact of a version."""

    def make(version: str) -> Built:
        path = tmp_path / f"{version}.pex"
        path.write_text(LIKE_AN_ARTEFACT.replace("VERSION", version).replace("UNITS", repr(UNITS)))
        return Built(path, hashlib.sha256(path.read_bytes()).hexdigest())

    return make


@pytest.fixture
def quick(like: Callable[[str], Built]) -> Built:
    return like("9.8.7")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def install(root: Path) -> Install:
    def run(
        built: Built, *more: str, path: str = PATH, **given: str
    ) -> "subprocess.CompletedProcess[str]":
        arguments = {"artefact": str(built.path), "sha256": built.sha256, "root": str(root)} | given
        options = [word for name, value in arguments.items() for word in (f"--{name}", value)]
        return subprocess.run(
            [SCRIPT, *options, *more],
            env={"PATH": path, "HOME": str(root / "no-home")},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def version_in(root: Path) -> str:
    program = root / "opt/runs-fleet/bin/runs-fleet-agent"
    done = subprocess.run(
        [program, "--version"], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def test_it_leaves_a_compiled_agent_its_units_and_its_directories_and_nothing_else(
    install: Install, small: Built, root: Path
) -> None:
    done = install(small)
    assert done.returncode == 0, done.stderr
    assert "runs-fleet-agent 9.8.7 is in" in done.stderr
    assert version_in(root) == "runs-fleet-agent 9.8.7"
    assert list((root / "opt/runs-fleet").glob("lib/python3.*/site-packages/agent/__pycache__/*"))
    assert names(root / "etc/systemd/system") == sorted(UNITS)
    assert (root / "var/lib/runs-fleet").stat().st_mode & 0o777 == 0o700
    assert (root / "etc/runs-fleet").is_dir()
    assert names(root / "opt") == ["runs-fleet", f"runs-fleet-{small.sha256[:12]}"]
    assert not (root / "no-home").exists()


def test_a_second_time_changes_nothing(install: Install, quick: Built, root: Path) -> None:
    install(quick)
    program = root / "opt/runs-fleet/bin/runs-fleet-agent"
    before = program.stat().st_ino, (root / "opt/runs-fleet").readlink()
    again = install(quick)
    assert again.returncode == 0, again.stderr
    assert (program.stat().st_ino, (root / "opt/runs-fleet").readlink()) == before


def test_another_version_takes_its_place_and_the_one_before_stays(
    install: Install, quick: Built, like: Callable[[str], Built], root: Path
) -> None:
    newer, newest = like("9.9.0"), like("9.9.1")
    for built in (quick, newer, newest):
        assert install(built).returncode == 0
    assert version_in(root) == "runs-fleet-agent 9.9.1"
    environments = {path.name for path in (root / "opt").glob("runs-fleet-????????????")}
    assert environments == {f"runs-fleet-{built.sha256[:12]}" for built in (newer, newest)}


def test_an_environment_that_was_left_half_made_is_made_anew(
    install: Install, quick: Built, root: Path
) -> None:
    half = root / f"opt/runs-fleet-{quick.sha256[:12]}/bin"
    half.mkdir(parents=True)
    (half / "runs-fleet-agent").write_text("half")
    assert install(quick).returncode == 0
    assert version_in(root) == "runs-fleet-agent 9.8.7"


def test_a_directory_of_somebody_else_is_set_aside(
    install: Install, quick: Built, root: Path
) -> None:
    (root / "opt/runs-fleet/bin").mkdir(parents=True)
    (root / "opt/runs-fleet/bin/mine").touch()
    done = install(quick)
    assert done.returncode == 0, done.stderr
    assert (root / "opt/runs-fleet.before/bin/mine").exists()
    assert version_in(root) == "runs-fleet-agent 9.8.7"


def test_a_file_with_another_digest_is_refused_before_anything_is_made(
    install: Install, quick: Built, root: Path
) -> None:
    done = install(quick, sha256="0" * 64)
    assert done.returncode == 1
    assert f"has SHA-256 {quick.sha256}, not 000" in done.stderr
    assert not root.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--sha256 is to be 64 digits"),
        (["--sha256"], "--sha256 needs a value"),
        (["--sha256", "0" * 64, "--root", "/nowhere"], "there is no file ''"),
        (["--what"], "unknown argument: --what"),
        (["--sha256", "0" * 64, "--runner-user", "No Body"], "--runner-user cannot be 'No Body'"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [SCRIPT, *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_machine_without_a_fitting_python_is_told_so(
    install: Install, quick: Built, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "env", "sha256sum", "readlink"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    done = install(quick, path=str(tools))
    assert done.returncode == 1
    assert "there is no Python 3.11 to 3.14" in done.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user: needs root")
@pytest.mark.skipif(
    shutil.which("useradd", path=PATH) is None, reason="there is no useradd on this machine"
)
def test_the_runner_user_is_made_once_and_joins_docker_on_demand(
    install: Install, quick: Built, root: Path
) -> None:
    (root / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        (root / "etc" / name).write_text("")
    for more in ((), ("--docker-group",), ("--docker-group",)):
        done = install(quick, "--runner-user", "builder", *more)
        assert done.returncode == 0, done.stderr
    (line,) = (root / "etc/passwd").read_text().splitlines()
    assert line.startswith("builder:")
    assert line.endswith(":/home/builder:/bin/bash")
    docker = [each for each in (root / "etc/group").read_text().splitlines() if "docker" in each]
    assert [each.rpartition(":")[2] for each in docker] == ["builder"]


@pytest.mark.parametrize("script", ["deployments/install/install.sh", "deployments/publish"])
def test_shell_is_clean(script: str) -> None:
    tools = Path(sys.executable).parent
    for command in (["shellcheck"], ["shfmt", "-d", "-i", "2", "-ci"]):
        done = subprocess.run(
            [tools / command[0], *command[1:], ROOT / script],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
