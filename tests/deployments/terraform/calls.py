"""Calls to AWS with an instance's credentials: those that the agent makes, and many that it has no need of."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from agent.localcloud.cloud import BUCKET, LOG_GROUP, PARAMETERS, LocalCloud

Call = Callable[["Instance"], object]
REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
RUNNER = "runners/2.336.0/x64/actions-runner-2.336.0.tar.gz"
OTHER_INSTANCE = "i-0123456789abcdef0"


class Instance:
    """Clients that know nothing but the role's credentials."""

    def __init__(
        self, cloud: LocalCloud, credentials: Mapping[str, str], *, nowhere: Path
    ) -> None:
        self.id = cloud.instance_id
        self.queue_url = cloud.queue_url
        self._url = cloud.aws.url
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

    def client(self, service: str) -> Any:
        if service not in self._made:
            config = Config(proxies={}, retries={"total_max_attempts": 1})
            self._made[service] = self._session.client(
                service, endpoint_url=self._url, config=config
            )
        return self._made[service]

    def is_refused(self, call: Call) -> bool:
        """Whether IAM refuses the call; what else becomes of it does not matter."""
        try:
            call(self)
        except ClientError as exc:
            return exc.response["Error"]["Code"] in REFUSALS
        return False


def _parameter(each: Instance) -> str:
    return f"{PARAMETERS}/{each.id}/config"


STREAM = {"logGroupName": LOG_GROUP, "logStreamName": "4711/i-1/agent"}
EVENTS = [{"timestamp": 1, "message": "x"}]

NEEDED: dict[str, Call] = {
    "ssm:GetParameter": lambda i: i.client("ssm").get_parameter(Name=_parameter(i)),
    "ssm:DeleteParameter": lambda i: i.client("ssm").delete_parameter(Name=_parameter(i)),
    "s3:GetObject": lambda i: i.client("s3").get_object(Bucket=BUCKET, Key=RUNNER),
    "s3:PutObject": lambda i: i.client("s3").put_object(Bucket=BUCKET, Key=RUNNER, Body=b"x"),
    "logs:CreateLogStream": lambda i: i.client("logs").create_log_stream(**STREAM),
    "logs:PutLogEvents": lambda i: i.client("logs").put_log_events(**STREAM, logEvents=EVENTS),
    "sqs:SendMessage": lambda i: i.client("sqs").send_message(QueueUrl=i.queue_url, MessageBody="x"),
    "ec2:TerminateInstances": lambda i: i.client("ec2").terminate_instances(InstanceIds=[i.id], DryRun=True),  # fmt: skip
}
"""As the agent makes them, by action."""

NOT_NEEDED: dict[str, Call] = {
    "ssm:PutParameter": lambda i: i.client("ssm").put_parameter(Name=_parameter(i), Value="x", Type="String", Overwrite=True),  # fmt: skip
    "ssm:GetParametersByPath": lambda i: i.client("ssm").get_parameters_by_path(Path=PARAMETERS),
    "ssm:DescribeParameters": lambda i: i.client("ssm").describe_parameters(),
    "ssm:GetParameter outside the prefix": lambda i: i.client("ssm").get_parameter(Name="/other/secret"),
    "ssm:GetParameter beside the prefix": lambda i: i.client("ssm").get_parameter(Name=f"{PARAMETERS}-other/secret"),  # fmt: skip
    "ssm:DeleteParameter outside the prefix": lambda i: i.client("ssm").delete_parameter(Name="/other/secret"),
    "s3:ListBucket": lambda i: i.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="runners/"),
    "s3:ListAllMyBuckets": lambda i: i.client("s3").list_buckets(),
    "s3:DeleteObject": lambda i: i.client("s3").delete_object(Bucket=BUCKET, Key=RUNNER),
    "s3:GetObject of the agent": lambda i: i.client("s3").get_object(Bucket=BUCKET, Key="agent/latest/x64"),
    "s3:PutObject of the agent": lambda i: i.client("s3").put_object(Bucket=BUCKET, Key="agent/latest/x64", Body=b""),  # fmt: skip
    "s3:GetObject of another bucket": lambda i: i.client("s3").get_object(Bucket="other-bucket", Key=RUNNER),
    "s3:PutBucketPolicy": lambda i: i.client("s3").put_bucket_policy(Bucket=BUCKET, Policy="{}"),
    "logs:CreateLogGroup": lambda i: i.client("logs").create_log_group(logGroupName="/other"),
    "logs:DescribeLogStreams": lambda i: i.client("logs").describe_log_streams(logGroupName=LOG_GROUP),
    "logs:GetLogEvents": lambda i: i.client("logs").get_log_events(**STREAM),
    "logs:DeleteLogStream": lambda i: i.client("logs").delete_log_stream(**STREAM),
    "logs:DeleteLogGroup": lambda i: i.client("logs").delete_log_group(logGroupName=LOG_GROUP),
    "logs:PutLogEvents of another group": lambda i: i.client("logs").put_log_events(logGroupName="/other", logStreamName="x", logEvents=EVENTS),  # fmt: skip
    "sqs:ReceiveMessage": lambda i: i.client("sqs").receive_message(QueueUrl=i.queue_url),
    "sqs:DeleteMessage": lambda i: i.client("sqs").delete_message(QueueUrl=i.queue_url, ReceiptHandle="x"),
    "sqs:PurgeQueue": lambda i: i.client("sqs").purge_queue(QueueUrl=i.queue_url),
    "sqs:SendMessage to another queue": lambda i: i.client("sqs").send_message(QueueUrl=f"{i.queue_url}-other", MessageBody="x"),  # fmt: skip
    "ec2:TerminateInstances of another": lambda i: i.client("ec2").terminate_instances(InstanceIds=[OTHER_INSTANCE]),  # fmt: skip
    "ec2:StopInstances": lambda i: i.client("ec2").stop_instances(InstanceIds=[i.id]),
    "ec2:DescribeInstances": lambda i: i.client("ec2").describe_instances(),
    "ec2:RunInstances": lambda i: i.client("ec2").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1),
    "ec2:CreateTags": lambda i: i.client("ec2").create_tags(Resources=[i.id], Tags=[{"Key": "a", "Value": "b"}]),  # fmt: skip
    "iam:PutRolePolicy": lambda i: i.client("iam").put_role_policy(RoleName="x", PolicyName="x", PolicyDocument="{}"),  # fmt: skip
    "iam:ListRoles": lambda i: i.client("iam").list_roles(),
}
"""What an intruder in a job would like to do."""
