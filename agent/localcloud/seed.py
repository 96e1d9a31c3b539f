"""What an account holds before the agent starts: bucket, log group, queue and instance; made, and taken away again."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "runs-fleet-cache"
LOG_GROUP = "/runs-fleet/agent"
PARAMETERS = "/runs-fleet/runners"
QUEUE = "runs-fleet-termination"
IMAGE = "ami-12c6146b"
INSTANCE_TYPE = "c7i.large"


@dataclass(frozen=True, slots=True)
class Names:
    """What the things of an account are called; the defaults are for an account that is empty."""

    bucket: str = BUCKET
    log_group: str = LOG_GROUP
    parameters: str = PARAMETERS
    """The SSM path prefix."""
    queue: str = QUEUE

    @classmethod
    def of_its_own(cls) -> Self:
        """Names that nobody else has, for an account that others use too."""
        mark = secrets.token_hex(4)
        return cls(
            f"{BUCKET}-{mark}", f"{LOG_GROUP}-{mark}", f"{PARAMETERS}-{mark}", f"{QUEUE}-{mark}"
        )


@dataclass(frozen=True, slots=True)
class Seeded:
    """What AWS said of the things that were made."""

    queue_url: str
    instance_id: str
    bystander_id: str
    """Another instance, which nobody may touch."""


class Seed:
    """Makes it all in one account, and takes away what was made."""

    def __init__(self, client: Callable[[str], Any], region: str, names: Names) -> None:
        """Makes nothing yet; `client` gives the boto3 client of a service such as `ssm`."""
        self._client = client
        self._region = region
        self._names = names
        self._made = ExitStack()

    def make(self, *, fifo: bool) -> Seeded:
        """Makes everything, with a queue of the kind asked for."""
        self._make_bucket()
        self._client("logs").create_log_group(logGroupName=self._names.log_group)
        self._later("logs", "delete_log_group", logGroupName=self._names.log_group)
        queue_url = self._make_queue(fifo=fifo)
        own, bystander = self._make_instances()
        return Seeded(queue_url, own, bystander)

    def parameters(self) -> list[str]:
        """The names of the runner parameters that exist, of every instance."""
        pages = self._client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path=self._names.parameters, Recursive=True)
        return sorted(p["Name"] for page in found for p in page["Parameters"])

    def take_away(self) -> None:
        """Deletes what was made and what a run left in it, as far as the account lets it."""
        self._made.close()
        with suppress(BotoCoreError, ClientError):
            for name in self.parameters():
                self._client("ssm").delete_parameter(Name=name)

    def _later(self, service: str, operation: str, **arguments: Any) -> None:
        """What takes away the thing that was made just now."""

        def call() -> None:
            with suppress(BotoCoreError, ClientError):
                getattr(self._client(service), operation)(**arguments)

        self._made.callback(call)

    def _make_bucket(self) -> None:
        place = {"LocationConstraint": self._region}
        where = {} if self._region == "us-east-1" else {"CreateBucketConfiguration": place}
        self._client("s3").create_bucket(Bucket=self._names.bucket, **where)
        self._later("s3", "delete_bucket", Bucket=self._names.bucket)
        self._made.callback(self._empty_bucket)

    def _empty_bucket(self) -> None:
        s3, bucket = self._client("s3"), self._names.bucket
        with suppress(BotoCoreError, ClientError):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for entry in page.get("Contents", []):
                    s3.delete_object(Bucket=bucket, Key=entry["Key"])

    def _make_queue(self, *, fifo: bool) -> str:
        name, attributes = self._names.queue, {}
        if fifo:
            name, attributes = f"{name}.fifo", {"FifoQueue": "true"}
        made = self._client("sqs").create_queue(QueueName=name, Attributes=attributes)
        self._later("sqs", "delete_queue", QueueUrl=made["QueueUrl"])
        return str(made["QueueUrl"])

    def _make_instances(self) -> list[str]:
        made = self._client("ec2").run_instances(
            ImageId=IMAGE,
            InstanceType=INSTANCE_TYPE,
            MinCount=2,
            MaxCount=2,
            InstanceInitiatedShutdownBehavior="terminate",
        )
        ids = [instance["InstanceId"] for instance in made["Instances"]]
        self._later("ec2", "terminate_instances", InstanceIds=ids)
        return ids
