import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.artefact.assemble import assemble
from deployments.artefact.targets import Target
from deployments.artefact.wheels import BuildError
from tests.deployments.artefact.conftest import Built, write_wheel


def test_two_builds_in_two_places_give_the_same_bytes(
    build_small: Callable[[str], Built], small: Built
) -> None:
    assert build_small("9.8.7").path.read_bytes() == small.path.read_bytes()


def test_it_holds_the_wheels_as_they_were_published(small: Built) -> None:
    name = "runs_fleet_agent-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(small.path) as artefact:
        assert artefact.read(f".deps/{name}") == (small.path.parent / name).read_bytes()


def test_it_starts_with_nothing_but_a_python(small: Built, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(small.path), "--version"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "runs-fleet-agent 9.8.7\n"


def test_wheels_that_are_not_all_that_is_needed_make_no_artefact(
    tmp_path: Path, some_targets: list[Target]
) -> None:
    wheel = write_wheel(tmp_path, "1.0", metadata="Requires-Dist: not-there>=2\n")
    with pytest.raises(BuildError, match="not-there"):
        assemble([wheel], "1.0", some_targets, tmp_path / "runs-fleet-agent-1.0-x64.pex")
    assert not list(tmp_path.glob("*.pex"))
