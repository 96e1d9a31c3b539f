import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from agent.errors import AwsError
from agent.messages.job_status import JobStatus
from agent.messages.sqs import Queue
from agent.outcome import Status

STARTED = JobStatus(instance_id="i-1", job_id="42", status=Status.STARTED)


class FakeSqs:
    """Remembers what it was sent, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[dict[str, str]] = []
        self._error = error

    def send_message(self, *, QueueUrl: str, MessageBody: str, **more: str) -> dict[str, Any]:  # noqa: N803
        if self._error:
            raise self._error
        self.sent.append({"QueueUrl": QueueUrl, "MessageBody": MessageBody, **more})
        return {"MessageId": f"m-{len(self.sent)}"}


def failed(code: str, http_status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "said so"},
            "ResponseMetadata": {
                "HTTPStatusCode": http_status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "SendMessage",
    )


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield client_of(f"http://{host}:{port}")
    server.stop()


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "sqs",
        region_name="eu-central-1",
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=10),
    )


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
    return list(answer.get("Messages", []))


def test_a_standard_queue_gets_the_body_and_nothing_else() -> None:
    client = FakeSqs()
    assert Queue(client, "https://sqs/1/q").send(STARTED, deduplication_key="k") == "m-1"
    assert client.sent == [{"QueueUrl": "https://sqs/1/q", "MessageBody": STARTED.to_json()}]


def test_a_fifo_queue_gets_the_same_deduplication_id_on_every_try() -> None:
    client = FakeSqs()
    queue = Queue(client, "https://sqs/1/q.fifo")
    for key in ("i-1/42/started", "i-1/42/started", "a key with spaces " * 20):
        queue.send(STARTED, deduplication_key=key)
    ids = [sent["MessageDeduplicationId"] for sent in client.sent]
    assert ids[0] == ids[1] == "i-1/42/started"
    assert len(ids[2]) == 64
    assert {sent["MessageGroupId"] for sent in client.sent} == {"i-1"}


@pytest.mark.parametrize("code", ["RequestThrottled", "ServiceUnavailable", "InternalError"])
def test_an_outage_is_transient(code: str) -> None:
    with pytest.raises(AwsError) as caught:
        Queue(FakeSqs(failed(code)), "https://sqs/1/q").send(STARTED, deduplication_key="k")
    assert caught.value.transient


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (failed("QueueDoesNotExist"), "RUNS_FLEET_TERMINATION_QUEUE_URL"),
        (failed("AWS.SimpleQueueService.NonExistentQueue"), "RUNS_FLEET_TERMINATION_QUEUE_URL"),
        (failed("AccessDenied", 403), "`sqs:SendMessage` on https://sqs/1/q"),
        (failed("InvalidClientTokenId", 403), "instance profile"),
    ],
    ids=repr,
)
def test_a_refusal_is_final_and_names_queue_and_mend(error: Exception, mend: str) -> None:
    with pytest.raises(AwsError) as caught:
        Queue(FakeSqs(error), "https://sqs/1/q").send(STARTED, deduplication_key="k")
    assert not caught.value.transient
    assert "https://sqs/1/q" in caught.value.what
    assert mend in caught.value.mend


def test_a_message_arrives_over_http(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="standard")["QueueUrl"]
    message_id = Queue(sqs, url).send(STARTED, deduplication_key="k")
    (message,) = received(sqs, url)
    assert message["MessageId"] == message_id
    assert json.loads(message["Body"])["status"] == "started"


def test_a_fifo_queue_takes_two_tries_of_one_message_once(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for _ in range(2):
        Queue(sqs, url).send(STARTED, deduplication_key="i-1/42/started")
    (message,) = received(sqs, url)
    assert message["Attributes"]["MessageGroupId"] == "i-1"


def test_a_queue_that_does_not_exist_is_named_over_http(sqs: Any) -> None:
    url = sqs.meta.endpoint_url + "/123456789012/nowhere"
    with pytest.raises(AwsError, match="RUNS_FLEET_TERMINATION_QUEUE_URL") as caught:
        Queue(sqs, url).send(STARTED, deduplication_key="k")
    assert not caught.value.transient


def test_an_endpoint_that_nobody_serves_is_an_outage() -> None:
    client = client_of("http://127.0.0.1:9")
    with pytest.raises(AwsError) as caught:
        Queue(client, "http://127.0.0.1:9/1/q").send(STARTED, deduplication_key="k")
    assert caught.value.transient
