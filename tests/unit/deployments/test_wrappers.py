"""The commands under `deployments/`, and the targets of the Makefile that lead to them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent import __version__

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("wrapper", ["publish", "cloudwatch/put", "live/live"])
def test_without_a_virtual_environment_each_names_the_one_target_that_makes_it(
    tmp_path: Path, wrapper: str
) -> None:
    copy = tmp_path / "deployments" / wrapper
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / "deployments" / wrapper, copy)
    done = subprocess.run(
        [str(copy), "--help"], check=False, capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 2
    assert done.stderr.endswith(f"run `make install` in {tmp_path}\n")
    assert done.stderr.count("\n") == 1


def test_that_target_is_a_public_one() -> None:
    assert "install" in (line.split()[0] for line in make("help").splitlines())


def test_what_boots_is_the_artefact_of_this_version_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "dist").mkdir()
    for version in ("0.0.9", __version__, "99.0"):
        (tmp_path / f"dist/runs-fleet-agent-{version}-x64.pex").touch()
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\ncase $1 in -c) echo {__version__} ;; *) echo "$BOOT_ARTEFACT" ;; esac\n'
    )
    python.chmod(0o755)
    said = make("boot-artefact", "--silent", "--assume-old=.venv/.installed", at=tmp_path)
    assert said == f"{tmp_path}/dist/runs-fleet-agent-{__version__}-x64.pex\n"


def make(*arguments: str, at: Path = ROOT) -> str:
    done = subprocess.run(
        ["make", *arguments], cwd=at, check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
