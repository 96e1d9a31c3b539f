"""Sends messages to the termination queue."""

import hashlib
import re
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent.aws_errors import NO_ANSWER, error_code, translate
from agent.messages.job_status import JobStatus

# AWS: SQS, MessageDeduplicationId: letters, digits and punctuation, at most 128.
_DEDUPLICATION_ID = re.compile(r"[!-~]{1,128}")
_NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress")
_NO_QUEUE_MEND = (
    "mend RUNS_FLEET_TERMINATION_QUEUE_URL or the runner config's termination_queue_url:"
    " its name, account and region"
)


class SqsClient(Protocol):
    """The one call used of boto3's `sqs` client."""

    def send_message(self, *, QueueUrl: str, MessageBody: str, **more: str) -> dict[str, Any]: ...  # noqa: N803


class Queue:
    """A standard or FIFO queue."""

    def __init__(self, client: SqsClient, url: str) -> None:
        """Names the queue; FIFO when its URL ends in `.fifo`."""
        self._client = client
        self._url = url

    def send(self, status: JobStatus, *, deduplication_key: str) -> str:
        """Sends the message once; what SQS calls it.

        Args:
            status: the message.
            deduplication_key: the same for every try of one message: a FIFO queue then takes only the first.

        Raises:
            AwsError: SQS refused it, or could not be reached (`transient`).
        """
        try:
            answer = self._client.send_message(
                QueueUrl=self._url,
                MessageBody=status.to_json(),
                **self._fifo(status, deduplication_key),
            )
            return str(answer["MessageId"])
        except (ClientError, BotoCoreError, ResponseParserError, *NO_ANSWER) as exc:
            mend = _NO_QUEUE_MEND if error_code(exc) in _NO_QUEUE else ""
            raise translate(exc, call="sqs:SendMessage", resource=self._url, mend=mend) from exc

    def _fifo(self, status: JobStatus, key: str) -> dict[str, str]:
        if not self._url.endswith(".fifo"):
            return {}
        fits = _DEDUPLICATION_ID.fullmatch(key)
        return {
            "MessageGroupId": status.instance_id,
            "MessageDeduplicationId": key if fits else hashlib.sha256(key.encode()).hexdigest(),
        }
