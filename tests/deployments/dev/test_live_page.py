"""docs/live.md says what the code does."""

import re
import shlex
from pathlib import Path

from deployments.artefact.publish import INSTALL, NAME
from deployments.live.options import parser
from deployments.live.scenarios import SCENARIOS, workflow_of
from deployments.live.verify import CHECKS
from tests.deployments.dev.live_account import STEPS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/live.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))


def commands() -> list[list[str]]:
    """Every call of the live test on the page, its variables put in."""
    variables = dict(re.findall(r'^(\w+)="(.*)"$', SHELL, re.MULTILINE))
    lines = [line for line in SHELL.splitlines() if line.startswith("deployments/live/live ")]
    for name, value in variables.items():
        lines = [line.replace(f"${name}", value) for line in lines]
    return [shlex.split(line)[1:] for line in lines]


def test_what_terraform_takes_from_the_environment_is_what_the_example_asks_for() -> None:
    text = (ROOT / "terraform/examples/live/variables.tf").read_text()
    blocks = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
    required = {name for name, body in blocks.items() if "default" not in body}
    assert set(re.findall(r"^export TF_VAR_(\w+)=", SHELL, re.MULTILINE)) == required
    assert set(re.findall(r"-var (\w+)=", SHELL)) <= blocks.keys() - required
    for settings in re.findall(r"`(\w+ = \"\w+\")`", PAGE):
        assert settings in blocks["settings"]


def test_the_digests_of_the_page_are_those_that_publish_says() -> None:
    assert f'dist/{NAME}-$TF_VAR_agent_version-x64.pex.sha256"' in SHELL
    assert f"sha256sum {INSTALL.relative_to(ROOT)} " in SHELL


def test_every_command_of_the_page_is_one_and_every_step_has_its_command() -> None:
    assert {parser().parse_args(words).step for words in commands()} == set(STEPS)


def test_the_table_of_scenarios_is_the_one_in_the_code() -> None:
    for name, each in SCENARIOS.items():
        row = (
            f"| `{name}` | `{workflow_of(name)}` | {each.what} | `{each.reason}` | {each.by_hand} |"
        )
        assert row.replace("|  |", "| |") in PAGE


def test_the_page_shows_the_table_that_verify_prints() -> None:
    for number, (what, _) in enumerate(CHECKS[:8], start=1):
        assert re.search(
            rf"^C-8\.{number} +(held|not seen) +{re.escape(what)} ", PAGE, re.MULTILINE
        )


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:deployments/live|tests)/[\w./-]+)`", PAGE))
    assert named
    assert all((ROOT / path).exists() for path in named)
