"""Calls to AWS with an instance's credentials: those that the agent makes, and many that it has no need of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from agent.localcloud.cloud import BUCKET, LOG_GROUP, PARAMETERS, LocalCloud

REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
ITSELF, QUEUE = "(the instance)", "(the queue)"
"""Stand for its id and the queue's URL in the arguments of a call."""


@dataclass(frozen=True)
class Call:
    """One of boto3's."""

    service: str
    method: str
    arguments: Mapping[str, Any]


def call(service: str, method: str, **arguments: Any) -> Call:
    return Call(service, method, arguments)


class Instance:
    """Clients that know nothing but the role's credentials."""

    def __init__(self, cloud: LocalCloud, credentials: Mapping[str, str], *, nowhere: Path) -> None:
        self._cloud = cloud
        core = botocore.session.Session(
            session_vars={"config_file": (None, None, str(nowhere), None)}
        )
        self._session = boto3.session.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=cloud.region,
            botocore_session=core,
        )
        self._made: dict[str, Any] = {}

    def is_refused(self, wanted: Call) -> bool:
        """Whether IAM refuses the call; what else becomes of it does not matter."""
        written = json.dumps(wanted.arguments)
        for name, value in ((ITSELF, self._cloud.instance_id), (QUEUE, self._cloud.queue_url)):
            written = written.replace(name, value)
        try:
            getattr(self._client(wanted.service), wanted.method)(**json.loads(written))
        except ClientError as exc:
            return exc.response["Error"]["Code"] in REFUSALS
        return False

    def _client(self, service: str) -> Any:
        if service not in self._made:
            config = Config(proxies={}, retries={"total_max_attempts": 1})
            self._made[service] = self._session.client(
                service, endpoint_url=self._cloud.aws.url, config=config
            )
        return self._made[service]


OWN = f"{PARAMETERS}/{ITSELF}/config"
RUNNER = {"Bucket": BUCKET, "Key": "runners/2.336.0/x64/actions-runner-2.336.0.tar.gz"}
AGENT = {"Bucket": BUCKET, "Key": "agent/latest/x64"}
STREAM = {"logGroupName": LOG_GROUP, "logStreamName": "4711/i-1/agent"}
EVENTS = [{"timestamp": 1, "message": "x"}]

NEEDED = {
    "ssm:GetParameter": call("ssm", "get_parameter", Name=OWN),
    "ssm:DeleteParameter": call("ssm", "delete_parameter", Name=OWN),
    "s3:GetObject": call("s3", "get_object", **RUNNER),
    "s3:PutObject": call("s3", "put_object", **RUNNER, Body="x"),
    "logs:CreateLogStream": call("logs", "create_log_stream", **STREAM),
    "logs:PutLogEvents": call("logs", "put_log_events", **STREAM, logEvents=EVENTS),
    "sqs:SendMessage": call("sqs", "send_message", QueueUrl=QUEUE, MessageBody="x"),
    "ec2:TerminateInstances": call("ec2", "terminate_instances", InstanceIds=[ITSELF], DryRun=True),
}
"""As the agent makes them, by action."""

NOT_NEEDED = {
    "write a parameter": call("ssm", "put_parameter", Name=OWN, Value="x", Type="String"),
    "list parameters": call("ssm", "get_parameters_by_path", Path=PARAMETERS),
    "list all parameters": call("ssm", "describe_parameters"),
    "read any parameter": call("ssm", "get_parameter", Name="/other/secret"),
    "read beside the prefix": call("ssm", "get_parameter", Name=f"{PARAMETERS}-other/secret"),
    "delete any parameter": call("ssm", "delete_parameter", Name="/other/secret"),
    "list the bucket": call("s3", "list_objects_v2", Bucket=BUCKET, Prefix="runners/"),
    "list all buckets": call("s3", "list_buckets"),
    "delete a runner": call("s3", "delete_object", **RUNNER),
    "read the agent": call("s3", "get_object", **AGENT),
    "replace the agent": call("s3", "put_object", **AGENT, Body="x"),
    "read another bucket": call("s3", "get_object", Bucket="other-bucket", Key="runners/x"),
    "open the bucket": call("s3", "put_bucket_policy", Bucket=BUCKET, Policy="{}"),
    "make a log group": call("logs", "create_log_group", logGroupName="/other"),
    "list streams": call("logs", "describe_log_streams", logGroupName=LOG_GROUP),
    "read logs": call("logs", "get_log_events", **STREAM),
    "search logs": call("logs", "filter_log_events", logGroupName=LOG_GROUP),
    "delete a stream": call("logs", "delete_log_stream", **STREAM),
    "delete the log group": call("logs", "delete_log_group", logGroupName=LOG_GROUP),
    "write to another group": call(
        "logs", "put_log_events", logGroupName="/other", logStreamName="x", logEvents=EVENTS
    ),
    "read the queue": call("sqs", "receive_message", QueueUrl=QUEUE),
    "delete a message": call("sqs", "delete_message", QueueUrl=QUEUE, ReceiptHandle="x"),
    "empty the queue": call("sqs", "purge_queue", QueueUrl=QUEUE),
    "send to another queue": call(
        "sqs", "send_message", QueueUrl=f"{QUEUE}-other", MessageBody="x"
    ),
    "terminate another instance": call(
        "ec2", "terminate_instances", InstanceIds=["i-0123456789abcdef0"]
    ),
    "stop itself": call("ec2", "stop_instances", InstanceIds=[ITSELF]),
    "list instances": call("ec2", "describe_instances"),
    "launch an instance": call("ec2", "run_instances", ImageId="ami-1", MinCount=1, MaxCount=1),
    "tag itself": call("ec2", "create_tags", Resources=[ITSELF], Tags=[{"Key": "a", "Value": "b"}]),
    "give itself more": call(
        "iam", "put_role_policy", RoleName="x", PolicyName="x", PolicyDocument="{}"
    ),
    "list roles": call("iam", "list_roles"),
}
"""What an intruder in a job would like to do."""
