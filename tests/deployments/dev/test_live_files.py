"""The script and the workflows that are shipped for the live test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.live.scenarios import SCENARIOS, WORKFLOWS, workflow_of
from tests.deployments.dev.live_account import STEPS

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "deployments/live/live"
TOOLS = Path(sys.executable).parent


def output_of(*words: str | Path, at: Path = ROOT) -> str:
    """What a program prints; it must succeed, without a word on stderr."""
    done = subprocess.run(words, cwd=at, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="the checkout has no .venv")
def test_the_script_runs_from_anywhere_and_says_what_it_can(tmp_path: Path) -> None:
    said = output_of(SCRIPT, "--help", at=tmp_path)
    assert all(step in said for step in STEPS)


def test_the_script_is_clean() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert output_of(TOOLS / "shellcheck", SCRIPT) == ""
    assert output_of(TOOLS / "shfmt", "-d", "-i", "2", SCRIPT) == ""


def test_the_workflows_are_those_of_the_scenarios_and_github_takes_them() -> None:
    files = sorted(WORKFLOWS.glob("*.yml"))
    assert {path.name for path in files} == {workflow_of(name) for name in SCENARIOS}
    output_of(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_workflow_runs_on_the_one_runner_with_pinned_actions_and_says_whose_it_is(
    path: Path,
) -> None:
    text = path.read_text()
    assert 'runs-on: [self-hosted, "${{ inputs.runner }}"]' in text
    assert " on ${{ inputs.runner }}\n" in text
    used = [line.split("@")[1] for line in text.splitlines() if "uses:" in line]
    assert all(len(pin.split(" # v")[0]) == 40 for pin in used)
