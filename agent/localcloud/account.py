"""The view of whoever looks on: clients that no fault meets, and a queue that forgets nothing."""

import json
import threading
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from agent.aws import share_service_models
from agent.localcloud.aws import OPERATOR_KEY


class OperatorClients:
    """boto3 clients of the embedded account, blind to the machine's own AWS settings and proxies."""

    def __init__(self, url: str, region: str, nowhere: Path) -> None:
        """Makes nothing yet.

        Args:
            url: the AWS endpoint.
            region: of every client.
            nowhere: a path that does not exist, in place of `~/.aws`.
        """
        missing = str(nowhere)
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, missing, None),
                "credentials_file": (None, None, missing, None),
            }
        )
        share_service_models(core)
        self._session = boto3.session.Session(
            aws_access_key_id=OPERATOR_KEY,
            aws_secret_access_key="operator",  # noqa: S106
            region_name=region,
            botocore_session=core,
        )
        self._url = url
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The one client of a service such as `ssm`; thread-safe."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._session.client(
                    service,
                    endpoint_url=self._url,
                    config=Config(proxies={}, retries={"total_max_attempts": 1}),
                )
            return self._made[service]


class QueueReader:
    """Drains a queue and keeps all that was ever in it, in the order of receipt. Thread-safe."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._lock = threading.Lock()
        self._seen: list[dict[str, Any]] = []

    def raw(self) -> list[dict[str, Any]]:
        """As SQS gives them: `Body`, `Attributes`, `MessageAttributes` and so on."""
        with self._lock:
            while batch := self._receive():
                self._seen += batch
            return list(self._seen)

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies, decoded."""
        return [json.loads(message["Body"]) for message in self.raw()]

    def _receive(self) -> list[dict[str, Any]]:
        answer = self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        batch: list[dict[str, Any]] = answer.get("Messages", [])
        for message in batch:
            self._client.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        return batch


def lines_of(client: Any, group: str, stream: str) -> list[str]:
    """Every event of a log stream by time; none for a stream that does not exist."""
    query: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    lines: list[str] = []
    try:
        while (page := client.get_log_events(**query))["events"]:
            lines += [event["message"] for event in page["events"]]
            query["nextToken"] = page["nextForwardToken"]
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return lines
