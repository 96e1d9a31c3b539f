"""The policy's conditions, which moto does not know, by a simulator of IAM: `make terraform-check` installs it."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.localcloud.imds import ACCOUNT
from docs.generate_terraform import statement
from tests.deployments.terraform.role import REGION, VALUES, policy

HERE = Path(__file__).with_name("simulator")
OWN, OTHER = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/runs-fleet-runner"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-1111-1111-1111-111111111111"
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").is_dir(),
    reason="the simulator is not installed: make terraform-check",
)


def instance(name: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{name}"


def request(action: str, resource: str, session: str = OWN, **context: str) -> dict[str, Any]:
    principal = f"{ROLE}/{session}"
    known = {
        "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/runs-fleet-runner",
        "aws:userid": f"AROAEXAMPLE:{session}",
        **{key.replace("__", ":"): value for key, value in context.items()},
    }
    place = {"resource": resource, "accountId": ACCOUNT}
    return {
        "principal": principal,
        "action": action,
        "resource": place,
        "contextVariables": known,
    }


def simulated(
    requests: list[dict[str, Any]],
    document: Mapping[str, Any],
    resource_policy: Mapping[str, Any] | None = None,
) -> list[str]:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    above = [
        {
            "orgIdentifier": "o-1",
            "policies": [
                {"name": "all", "policy": {"Version": "2012-10-17", "Statement": [everything]}}
            ],
        }
    ]
    simulations = [
        {
            "request": each,
            "identityPolicies": [{"name": "runner", "policy": document}],
            "serviceControlPolicies": above,
            "resourceControlPolicies": [],
            **({"resourcePolicy": resource_policy} if resource_policy else {}),
        }
        for each in requests
    ]
    done = subprocess.run(
        ["node", "simulate.mjs"],
        cwd=HERE,
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers: list[str] = json.loads(done.stdout)
    return answers


def test_an_instance_terminates_itself_and_no_other() -> None:
    def terminate(target: str, session: str = OWN, **context: str) -> dict[str, Any]:
        return request(
            "ec2:TerminateInstances", instance(target), session, ec2__InstanceID=target, **context
        )

    answers = simulated(
        [
            terminate(OWN, ec2__SourceInstanceARN=instance(OWN)),
            terminate(OTHER, ec2__SourceInstanceARN=instance(OWN)),
            # Whoever else may assume the role can call the session as he likes, but was delivered to by no IMDS.
            terminate(OTHER, session=OTHER),
            request("ec2:StopInstances", instance(OWN), ec2__SourceInstanceARN=instance(OWN)),
        ],
        policy(),
    )
    assert answers == ["Allowed", "ImplicitlyDenied", "ImplicitlyDenied", "ImplicitlyDenied"]


def test_the_other_statements_reach_what_they_name() -> None:
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
    cases = {
        ("ssm:GetParameter", f"{parameter}/runs-fleet/runners/{OWN}/config"): "Allowed",
        ("ssm:DeleteParameter", f"{parameter}/runs-fleet/runners/{OWN}/credential"): "Allowed",
        ("ssm:GetParameter", f"{parameter}/runs-fleet/other"): "ImplicitlyDenied",
        ("s3:GetObject", "arn:aws:s3:::runs-fleet-cache/runners/2.336.0/x64/a"): "Allowed",
        ("s3:PutObject", "arn:aws:s3:::runs-fleet-cache/runners/2.336.0/x64/a"): "Allowed",
        ("s3:PutObject", "arn:aws:s3:::runs-fleet-cache/agent/latest/x64"): "ImplicitlyDenied",
        ("s3:ListBucket", "arn:aws:s3:::runs-fleet-cache"): "ImplicitlyDenied",
        ("logs:CreateLogStream", f"{logs}:/runs-fleet/agent:log-stream:1/i/agent"): "Allowed",
        ("logs:PutLogEvents", f"{logs}:/runs-fleet/agent:log-stream:1/i/agent"): "Allowed",
        ("logs:PutLogEvents", f"{logs}:/runs-fleet/other:log-stream:a"): "ImplicitlyDenied",
        ("sqs:SendMessage", VALUES["queue_arn"]): "Allowed",
        ("sqs:SendMessage", f"{VALUES['queue_arn']}-other"): "ImplicitlyDenied",
    }
    answers = simulated([request(*case) for case in cases], policy())
    assert dict(zip(cases, answers, strict=True)) == cases


def test_a_key_decrypts_through_its_service_only() -> None:
    each = statement("parameters-key", VALUES | {"parameters_key_arn": KEY})
    document = {"Version": "2012-10-17", "Statement": [each]}
    account = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    through = [f"{service}.{REGION}.amazonaws.com" for service in ("ssm", "s3")]
    requests = [request("kms:Decrypt", KEY, kms__ViaService=service) for service in through]
    requests.append(request("kms:Decrypt", KEY))
    answers = simulated(
        requests, document, resource_policy={"Version": "2012-10-17", "Statement": [account]}
    )
    assert answers == ["Allowed", "ImplicitlyDenied", "ImplicitlyDenied"]
