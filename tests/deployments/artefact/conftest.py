"""A stand-in for the agent's wheel, small enough to build and install artefacts from in seconds."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.artefact.__main__ import sha256_of
from deployments.artefact.assemble import assemble
from deployments.artefact.targets import Target, targets

UNITS = ("runs-fleet-agent.service", "runs-fleet-dead-man.timer")


@dataclass(frozen=True)
class Built:
    """A small artefact."""

    path: Path
    sha256: str


def write_wheel(folder: Path, version: str, *, metadata: str = "") -> Path:
    """A wheel of the agent's name with its command, which prints the version, and two units."""
    info = f"runs_fleet_agent-{version}.dist-info"
    files = {
        "agent/__init__.py": "",
        "agent/cli.py": f"def entry_point():\n    print('runs-fleet-agent {version}')\n",
        **{f"agent/units/{unit}": f"[Unit]\nDescription={unit}\n" for unit in UNITS},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: runs-fleet-agent\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nruns-fleet-agent = agent.cli:entry_point\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"runs_fleet_agent-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return path


@pytest.fixture(scope="session")
def some_targets() -> list[Target]:
    return targets("x64")


@pytest.fixture(scope="session")
def build_small(
    tmp_path_factory: pytest.TempPathFactory, some_targets: list[Target]
) -> Callable[[str], Built]:
    """Builds a small artefact of a version, anew and in a folder of its own at each call."""

    def build(version: str) -> Built:
        folder = tmp_path_factory.mktemp("small")
        path = folder / f"runs-fleet-agent-{version}-x64.pex"
        assemble([write_wheel(folder, version)], version, some_targets, path)
        return Built(path, sha256_of(path))

    return build


@pytest.fixture(scope="session")
def small(build_small: Callable[[str], Built]) -> Built:
    return build_small("9.8.7")
