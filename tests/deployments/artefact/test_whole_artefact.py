"""`make artefact-check`: the real artefact, built twice, started, installed, and taken through whole runs."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from agent import __version__
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.releases.version import architecture
from deployments.artefact.__main__ import build
from deployments.artefact.targets import MACHINES
from deployments.artefact.wheels import locked_digests

ROOT = Path(__file__).parents[3]
STORE = ROOT / "dist/.build/wheels"
SYSTEM = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
pytestmark = [pytest.mark.artefact, pytest.mark.timeout(1800)]


def pythons() -> list[str]:
    """Every interpreter on this machine that the artefact must start on: those on PATH and pyenv's."""
    found: dict[str, None] = {}
    for minor in ("3.11", "3.12", "3.13", "3.14"):
        names = [*Path("~/.pyenv/versions").expanduser().glob(f"{minor}.*/bin/python{minor}")]
        on_system = shutil.which(f"python{minor}", path=SYSTEM)
        found |= {str(path): None for path in (on_system, *names) if path}
    return list(found)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    for arch in MACHINES:
        build(arch, out, store=STORE)
    return out


@pytest.fixture(scope="session")
def artefact(dist: Path) -> Path:
    return dist / f"runs-fleet-agent-{__version__}-{architecture(platform.machine())}.pex"


@pytest.fixture(scope="session")
def installed(artefact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's command where install.sh has put it."""
    root = tmp_path_factory.mktemp("installed")
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    done = subprocess.run(
        [ROOT / "deployments/install/install.sh", "--artefact", artefact, "--sha256", digest, "--root", root],
        env={**os.environ, "PATH": SYSTEM},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list((root / "opt").glob(".runs-fleet*"))
    return root / "opt/runs-fleet/bin/runs-fleet-agent"


@pytest.mark.parametrize("arch", MACHINES)
def test_two_builds_give_the_same_bytes(dist: Path, arch: str, tmp_path: Path) -> None:
    build(arch, tmp_path, store=STORE)
    again = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert len(again) == 3
    for name, content in again.items():
        assert (dist / name).read_bytes() == content, name


@pytest.mark.parametrize("arch", MACHINES)
def test_every_wheel_in_it_is_one_of_the_lock_s_and_in_the_bill(dist: Path, arch: str) -> None:
    stem = f"runs-fleet-agent-{__version__}-{arch}"
    bill = json.loads((dist / f"{stem}.cdx.json").read_text())
    billed = {c["hashes"][0]["content"]: c["name"] for c in bill["components"] if "hashes" in c}
    with zipfile.ZipFile(dist / f"{stem}.pex") as pex:
        wheels = {
            hashlib.sha256(pex.read(name)).hexdigest(): name
            for name in pex.namelist()
            if name.endswith(".whl")
        }
    assert set(wheels) == set(billed)
    strangers = {name for digest, name in wheels.items() if digest not in locked_digests()}
    assert strangers == {f".deps/runs_fleet_agent-{__version__}-py3-none-any.whl"}
    assert not [name for name in wheels.values() if "moto" in name or "pytest" in name]


@pytest.mark.parametrize("arch", MACHINES)
def test_the_bill_is_valid_and_names_every_licence_but_our_own(dist: Path, arch: str) -> None:
    text = (dist / f"runs-fleet-agent-{__version__}-{arch}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    without = {c["name"] for c in json.loads(text)["components"] if "licenses" not in c}
    assert without == {"runs-fleet-agent"}


@pytest.mark.parametrize("python", pythons())
def test_it_starts_on_every_python_with_nothing_else(
    artefact: Path, python: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [python, artefact, "--version"],
        env={"PATH": SYSTEM, "HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, f"runs-fleet-agent {__version__}\n"), done.stderr


@pytest.mark.parametrize("python", pythons())
def test_each_python_can_import_all_of_it(artefact: Path, python: str, tmp_path: Path) -> None:
    environment = {"PATH": SYSTEM, "HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")}
    done = subprocess.run(
        [python, artefact, "doctor", "--image", "--json"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["agent"]["verdict"] == "ok", checks["agent"]


def test_the_file_itself_takes_an_instance_through_a_job(artefact: Path, tmp_path: Path) -> None:
    whole_run([sys.executable, str(artefact)], tmp_path, PEX_ROOT=str(tmp_path / "pex"))


def test_the_installed_agent_takes_an_instance_through_a_job(
    installed: Path, tmp_path: Path
) -> None:
    whole_run([str(installed)], tmp_path)


def test_the_installed_agent_starts_at_once(installed: Path) -> None:
    program = f"import subprocess; subprocess.run(['{installed}', '--version'])"
    done = subprocess.run(
        [sys.executable, "-m", "timeit", "-n1", "-r5", "-u", "msec", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    match = re.search(r"best of 5: ([\d.]+) msec", done.stdout)
    assert match is not None
    assert float(match[1]) < 500


def whole_run(program: list[str], workdir: Path, **more: str) -> None:
    """A job on the embedded cloud, and every promise of the contract looked at."""
    settings: dict[str, Any] = dict(more)
    with Play(Script("a job is served", settings=settings), workdir, program=program) as play:
        play.start()
        status = play.finish(600)
        broken = [promise for promise in look(play, status) if not promise.held]
    assert broken == [], "\n".join(play.lines)
