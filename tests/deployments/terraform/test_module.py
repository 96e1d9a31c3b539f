"""The module by Terraform's own means."""

import json
import re
import shutil
from pathlib import Path

import pytest

from agent.guardian.child import KILL_SECONDS
from agent.guardian.limits import DEFAULTS as DEFAULT_LIMITS
from agent.guardian.limits import Limits
from agent.settings import Settings
from docs.generate_terraform import blocks
from tests.deployments.terraform.tool import ROOT, Terraform, needs_provider, needs_terraform


@needs_terraform
def test_it_is_formatted(terraform: Terraform) -> None:
    terraform.run("fmt", "-check", "-diff", "-recursive", str(ROOT / "terraform"))
    terraform.run("fmt", "-check", "-diff", str(Path(__file__).parent))


@needs_terraform
def test_each_variable_refuses_what_it_must(terraform: Terraform, tmp_path: Path) -> None:
    shutil.copy(terraform.module / "variables.tf", tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(Path(__file__).with_name("variables.tftest.hcl"), tmp_path / "tests")
    terraform.run("test", at=tmp_path)


@needs_terraform
def test_the_policys_own_tests_pass(terraform: Terraform) -> None:
    policy = terraform.module / "policy"
    terraform.run("init", "-backend=false", at=policy)
    terraform.run("test", at=policy)


@needs_provider
@pytest.mark.timeout(300)
# It takes a minute of waiting to apply: begun here, it is over when test_whole_life.py wants it.
@pytest.mark.usefixtures("applying")
def test_its_own_tests_pass(terraform: Terraform) -> None:
    terraform.run("init", "-backend=false")
    terraform.run("test")


DEFAULTS = {
    "parameter_prefix": "secrets_path_prefix",
    "log_group_name": "log_group",
    "max_runtime_minutes": "max_runtime_minutes",
    "standby_deadline_minutes": "standby_deadline_minutes",
}


def test_its_defaults_are_those_of_the_agents_settings() -> None:
    variables = dict(blocks("variable"))
    for variable, field in DEFAULTS.items():
        wanted = Settings.model_fields[field].default
        assert json.loads(variables[variable]["default"]) == wanted


def test_what_a_stop_may_take_follows_from_the_agents_limits_and_its_unit() -> None:
    files = ("variables.tf", "launch-template.tf")
    variables, template = ((ROOT / "terraform" / name).read_text() for name in files)
    default = Limits.of({})
    grace, finish = (DEFAULT_LIMITS[f"RUNS_FLEET_{name}_SECONDS"] for name in ("GRACE", "FINISH_TIMEOUT"))  # fmt: skip
    for text in (variables, template):
        assert f'RUNS_FLEET_GRACE_SECONDS = "{grace:g}", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "{finish:g}"' in text  # fmt: skip
    unit = (ROOT / "deployments/systemd/runs-fleet-agent.service").read_text()
    (allowed,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    # Both are in the flow's stop and in `end`, once each.
    fixed = default.stop + default.end + KILL_SECONDS - 2 * (grace + finish)
    assert f"]) < {(int(allowed) - fixed) / 2:g}," in variables
    assert f"under {(int(allowed) - fixed) / 2:g}: systemd kills the agent {allowed} s after" in variables  # fmt: skip


def test_every_setting_that_it_writes_is_one_that_the_agent_reads() -> None:
    text = (ROOT / "terraform/launch-template.tf").read_text()
    written = re.findall(r"^    ([A-Z_]+) += ", text, re.MULTILINE)
    assert {"RUNS_FLEET_CONFIG_BUCKET", "RUNS_FLEET_TERMINATION_QUEUE_URL"} < set(written)
    assert set(written) <= {str(field.alias) for field in Settings.model_fields.values()}


def test_nothing_may_connect_to_an_instance() -> None:
    lines = (ROOT / "terraform/security-group.tf").read_text().splitlines()
    kinds = {name for name, _ in blocks("resource")}
    assert "aws_vpc_security_group_egress_rule" in kinds
    assert not {kind for kind in kinds if "ingress" in kind or kind == "aws_security_group_rule"}
    assert not [line for line in lines if "ingress" in line and not line.startswith("#")]
