"""The example for the live test, planned as docs/live.md has it: its names are those on the page."""

import hashlib
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from agent import __version__
from deployments.artefact.publish import INSTALL
from tests.deployments.terraform.account import Account
from tests.deployments.terraform.applied import OVERRIDE
from tests.deployments.terraform.tool import ROOT, Terraform, needs_provider

PAGE = (ROOT / "docs/live.md").read_text()
DIGEST = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the page's own lines put into the environment, in a checkout where `make artefact` was run."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("agent", "deployments"):
        (checkout / name).symlink_to(ROOT / name)
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (checkout / "dist").mkdir()
    pex = f"runs-fleet-agent-{__version__}-x64.pex"
    (checkout / f"dist/{pex}.sha256").write_text(f"{DIGEST}  {pex}\n")
    lines = [line for line in PAGE.splitlines() if line.startswith("export TF_VAR_")]
    done = subprocess.run(
        ["bash", "-euc", "\n".join([*lines, "env"])],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in told if name.startswith("TF_VAR_")}


@pytest.fixture(scope="module")
def made(terraform: Terraform, moto_account: Account, exported: dict[str, str]) -> dict[str, Any]:
    """The values that are known before, of each resource by its address inside the module."""
    folder = terraform.module / "examples/live"
    (folder / "override.tf").write_text(OVERRIDE)
    environment = {**exported, "AWS_ENDPOINT_URL": moto_account.url}
    terraform.run("init", at=folder, environment=environment)
    terraform.run("plan", "-out=plan", at=folder, environment=environment)
    shown = terraform.run("show", "-json", "plan", at=folder, environment=environment).stdout
    (module,) = json.loads(shown)["planned_values"]["root_module"]["child_modules"]
    found = {each["address"]: each.get("values", {}) for each in module["resources"]}
    return {address.removeprefix("module.runs_fleet."): each for address, each in found.items()}


def of_page(option: str) -> str:
    (found,) = set(re.findall(rf"{option} ([^ \"$]+)", PAGE)) - {"BUCKET"}
    return str(found)


def test_version_and_digests_come_from_disk_as_they_are_published(
    exported: dict[str, str],
) -> None:
    assert exported["TF_VAR_agent_version"] == __version__
    assert exported["TF_VAR_agent_sha256"] == DIGEST
    installed = hashlib.sha256(INSTALL.read_bytes()).hexdigest()
    assert exported["TF_VAR_install_sha256"] == installed


@needs_provider
def test_what_the_page_names_is_what_the_example_makes(
    made: dict[str, Any],
) -> None:
    template = made['aws_launch_template.runner["x64"]']
    assert template["name"] == of_page("--launch-template")
    assert made["aws_cloudwatch_log_group.agent[0]"]["name"] == of_page("--log-group")
    queue = made["aws_sqs_queue.termination[0]"]["name"]
    assert of_page("--queue-url").rpartition("/")[2] == queue
    (bucket,) = re.findall(r'^bucket="(.*)"$', PAGE, re.MULTILINE)
    assert made["aws_s3_bucket.this[0]"]["bucket"] == bucket
    size = template["block_device_mappings"][0]["ebs"][0]["volume_size"]
    assert f"| its {size} GB of gp3 " in PAGE
    assert made["aws_s3_bucket.this[0]"]["force_destroy"]


@needs_provider
def test_all_its_names_are_its_own_so_that_it_stands_beside_a_fleet(
    made: dict[str, Any],
) -> None:
    named = {address: each["name"] for address, each in made.items() if each.get("name")}
    assert len(named) > 5
    assert [name for name in named.values() if "runs-fleet-live" not in name] == []
