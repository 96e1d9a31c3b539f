"""The instance's role in the embedded cloud: made by the operator, its credentials handed out by IMDS."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.localcloud.account import OperatorClients
from agent.localcloud.cloud import BUCKET, LOG_GROUP, PARAMETERS, LocalCloud
from agent.localcloud.imds import ACCOUNT
from docs.generate_terraform import OPTIONS, statement, statement_names

ROLE, POLICY = "runs-fleet-runner", "runs-fleet-runner"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
REGION = "eu-central-1"
VALUES = {
    "partition": "aws",
    "dns_suffix": "amazonaws.com",
    "region": REGION,
    "account_id": ACCOUNT,
    "parameter_prefix": PARAMETERS,
    "bucket": BUCKET,
    "queue_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:runs-fleet-termination",
    "log_group": LOG_GROUP,
}
"""What the policy's variables are in the embedded cloud."""


def policy(*, without: str | None = None) -> dict[str, Any]:
    """The policy that every instance has, or all but one of its statements."""
    names = [name for name in statement_names() if name not in OPTIONS and name != without]
    return {
        "Version": "2012-10-17",
        "Statement": [statement(name, VALUES) for name in names],
    }


def actions(document: Mapping[str, Any]) -> set[str]:
    """Every action that the policy allows."""
    found = [each["Action"] for each in document["Statement"]]
    return {action for each in found for action in ([each] if isinstance(each, str) else each)}


class Role:
    """The role of the embedded cloud's one instance."""

    def __init__(self, cloud: LocalCloud, nowhere: Path) -> None:
        """Makes it, without any policy; IMDS hands out its credentials from here on.

        Args:
            cloud: an embedded cloud that is up.
            nowhere: a path that does not exist, in place of `~/.aws`.
        """
        clients = OperatorClients(cloud.aws.url, cloud.region, nowhere)
        self._iam = clients.client("iam")
        made = self._iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
        assumed = clients.client("sts").assume_role(
            RoleArn=made["Role"]["Arn"], RoleSessionName=cloud.instance_id
        )
        self.credentials: dict[str, str] = assumed["Credentials"]
        cloud.metadata.hand_out(self.credentials)

    def may(self, document: Mapping[str, Any]) -> None:
        """Puts the policy in place of the one that it had."""
        self._iam.put_role_policy(
            RoleName=ROLE, PolicyName=POLICY, PolicyDocument=json.dumps(document)
        )
