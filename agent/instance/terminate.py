"""TerminateInstances for this instance and no other."""

import logging
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent.aws_errors import NO_ANSWER, translate
from agent.events import event

log = logging.getLogger(__name__)


class Ec2Client(Protocol):
    """The one call used of boto3's `ec2` client."""

    def terminate_instances(self, *, InstanceIds: list[str]) -> dict[str, Any]: ...  # noqa: N803


def terminate(client: Ec2Client, instance_id: str) -> None:
    """Asks EC2 to terminate this instance.

    Raises:
        AwsError: EC2 refused or could not be reached.
    """
    try:
        answer = client.terminate_instances(InstanceIds=[instance_id])
        states = [
            each["CurrentState"]["Name"]
            for each in answer.get("TerminatingInstances", [])
            if each["InstanceId"] == instance_id
        ]
    except (ClientError, BotoCoreError, ResponseParserError, *NO_ANSWER) as exc:
        raise translate(exc, call="ec2:TerminateInstances", resource=instance_id) from exc
    if not states:
        raise translate(KeyError(instance_id), call="ec2:TerminateInstances", resource=instance_id)
    event(log, "instance.terminating", instance_id=instance_id, state=",".join(states))
