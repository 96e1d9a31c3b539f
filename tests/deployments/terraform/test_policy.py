"""What the role's policy says, and that it is the same however it is rendered."""

import json
from typing import Any

import pytest

from docs.generate_terraform import OPTIONS, statement, statement_names
from tests.deployments.terraform.role import VALUES, actions, policy
from tests.deployments.terraform.tool import Terraform, needs_terraform

KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-1111-1111-1111-11111111111"
OPTIONAL_VALUES = {
    "runner_logs_bucket": "runner-logs-bucket",
    "runner_logs_prefix": "runner-logs",
    "parameters_key_arn": f"{KEY}1",
    "bucket_key_arn": f"{KEY}2",
    "queue_key_arn": f"{KEY}3",
}


def by_sid(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in statements}


@needs_terraform
def test_terraform_renders_it_as_these_tests_do(terraform: Terraform) -> None:
    given = {key: value for key, value in VALUES.items() if key != "dns_suffix"}
    given["runner_logs"] = '{ bucket = "runner-logs-bucket", prefix = "runner-logs" }'
    given["keys"] = f'{{ parameters = "{KEY}1", bucket = "{KEY}2", queue = "{KEY}3" }}'
    environment = {f"TF_VAR_{name}": value for name, value in given.items()}
    at = terraform.module / "policy"
    terraform.run("init", "-backend=false", at=at)
    terraform.run("apply", "-auto-approve", at=at, environment=environment)
    rendered = json.loads(terraform.run("output", "-raw", "json", at=at).stdout)
    everything = [statement(name, VALUES | OPTIONAL_VALUES) for name in statement_names()]
    assert by_sid(rendered["Statement"]) == by_sid(everything)


def test_it_has_the_statements_that_an_instance_needs_and_no_other() -> None:
    """Checklist C-7.3."""
    place = "eu-central-1:123456789012"
    parameters = f"arn:aws:ssm:{place}:parameter/runs-fleet/runners/*"
    runners = "arn:aws:s3:::runs-fleet-cache/runners/*"
    streams = f"arn:aws:logs:{place}:log-group:/runs-fleet/agent:log-stream:*"
    allowed = {
        (action, each["Resource"])
        for each in policy()["Statement"]
        for action in actions({"Statement": [each]})
    }
    assert allowed == {
        ("ssm:GetParameter", parameters),
        ("ssm:DeleteParameter", parameters),
        ("s3:GetObject", runners),
        ("s3:PutObject", runners),
        ("logs:CreateLogStream", streams),
        ("logs:PutLogEvents", streams),
        ("sqs:SendMessage", f"arn:aws:sqs:{place}:runs-fleet-termination"),
        ("ec2:TerminateInstances", f"arn:aws:ec2:{place}:instance/*"),
    }
    assert {each["Effect"] for each in policy()["Statement"]} == {"Allow"}


def test_only_its_own_instance_may_be_terminated() -> None:
    (condition,) = [each["Condition"] for each in policy()["Statement"] if "Condition" in each]
    own = "arn:aws:ec2:eu-central-1:123456789012:instance/${ec2:InstanceID}"
    assert condition == {"ArnEquals": {"ec2:SourceInstanceARN": own}}


@pytest.mark.parametrize("name", [name for name in OPTIONS if name.endswith("-key")])
def test_a_key_may_be_used_through_its_own_service_only(name: str) -> None:
    each = statement(name, VALUES | OPTIONAL_VALUES)
    service = {"parameters-key": "ssm", "bucket-key": "s3", "queue-key": "sqs"}[name]
    assert each["Condition"] == {
        "StringEquals": {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com"}
    }
    assert each["Resource"].startswith(KEY)
