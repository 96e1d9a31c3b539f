"""Limits, faults and the record of the embedded AWS, seen through boto3."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from agent.localcloud.aws import AwsServer

GROUP = "/runs-fleet/agent"


@pytest.fixture(scope="module")
def server(make_client: Any) -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    make_client(server.url, "logs").create_log_group(logGroupName=GROUP)
    yield server
    server.stop()


@pytest.fixture
def aws(server: AwsServer) -> Iterator[AwsServer]:
    yield server
    server.faults.clear()


@pytest.fixture
def put(aws: AwsServer, make_client: Any) -> Any:
    """Puts (offset in ms, message) events into a stream of its own."""
    logs = make_client(aws.url, "logs")
    now = int(datetime.now(UTC).timestamp() * 1000)

    def put_events(events: list[tuple[int, str]]) -> Any:
        stream = f"stream-{len(aws.calls)}"
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        return logs.put_log_events(
            logGroupName=GROUP,
            logStreamName=stream,
            logEvents=[{"timestamp": now + ms, "message": text} for ms, text in events],
        )

    return put_events


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([(0, "x")] * 10_001, "less than or equal to 10000"),
        ([(0, "x" * (1_048_576 - 25))], "Upload too large: 1048577"),
        ([(0, "é" * 524_276)], "Upload too large: 1048578"),
        ([(-86_400_001, "x"), (0, "y")], "24 hours"),
        ([(1, "x"), (0, "y")], "chronological"),
    ],
)
def test_a_batch_over_a_limit_is_refused_whole(
    put: Any, events: list[tuple[int, str]], complaint: str
) -> None:
    with pytest.raises(ClientError, match=complaint) as error:
        put(events)
    assert _code(error) == "InvalidParameterException"


@pytest.mark.parametrize(
    "events",
    [
        [(0, "x")] * 10_000,
        [(0, "x" * (1_048_576 - 26))],
        [(-86_400_000, "x"), (0, "y")],
    ],
)
def test_a_batch_at_a_limit_is_taken(put: Any, events: list[tuple[int, str]]) -> None:
    assert "rejectedLogEventsInfo" not in put(events)


def test_events_too_old_or_too_new_are_counted_as_documented(put: Any) -> None:
    days, hours = 24 * 3_600_000, 3_600_000
    answer = put(
        [(-15 * days, "a"), (-15 * days, "b"), (0, "c"), (3 * hours, "d"), (4 * hours, "e")]
    )
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }


@pytest.mark.parametrize("name", ["a:b", "a*b", "x" * 513])
def test_a_stream_name_that_aws_refuses_is_refused(
    aws: AwsServer, make_client: Any, name: str
) -> None:
    logs = make_client(aws.url, "logs")
    with pytest.raises(ClientError) as error:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    assert _code(error) == "InvalidParameterException"


@pytest.mark.parametrize(
    "case",
    [
        ("ssm", "get_parameter", {"Name": "/x"}, "GetParameter", "AccessDeniedException"),
        (
            "sqs",
            "send_message",
            {"QueueUrl": "http://127.0.0.1/1/q", "MessageBody": "{}"},
            "SendMessage",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        ("ec2", "terminate_instances", {"InstanceIds": ["i-1"]}, "TerminateInstances", "Busy"),
        ("sts", "get_caller_identity", {}, "GetCallerIdentity", "ExpiredToken"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "GetObject", "SlowDown"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k"}, "PutObject", "AccessDenied"),
        ("s3", "head_object", {"Bucket": "b", "Key": "k"}, "HeadObject", "403"),
        ("s3", "list_objects_v2", {"Bucket": "b"}, "ListObjectsV2", "NoSuchBucket"),
    ],
)
def test_a_fault_is_an_error_of_the_services_own_shape(
    aws: AwsServer, make_client: Any, case: tuple[str, str, dict[str, Any], str, str]
) -> None:
    service, method, parameters, operation, code = case
    aws.faults.fail(service, operation, times=1, status=403, code=code)
    with pytest.raises(ClientError) as error:
        getattr(make_client(aws.url, service), method)(**parameters)
    assert _code(error) == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    last = aws.calls[-1]
    assert (last.service, last.operation, last.status) == (service, operation, 403)
    assert not last.carried_out


def test_a_fault_is_over_after_so_many_times_and_retries_get_through(
    aws: AwsServer, make_client: Any
) -> None:
    aws.faults.fail("ssm", "*", times=1, status=400, code="ThrottlingException")
    ssm = make_client(aws.url, "ssm", attempts=2)
    assert ssm.get_parameters_by_path(Path="/none")["Parameters"] == []
    assert [c.status for c in aws.calls[-2:]] == [400, 200]


def test_a_call_may_take_effect_though_its_answer_is_lost(aws: AwsServer, make_client: Any) -> None:
    ssm = make_client(aws.url, "ssm")
    aws.faults.fail(
        "ssm", "PutParameter", times=1, status=500, code="InternalServerError", takes_effect=True
    )
    with pytest.raises(ClientError, match="InternalServerError"):
        ssm.put_parameter(Name="/lost/answer", Value="here", Type="SecureString")
    assert aws.calls[-1].carried_out
    found = ssm.get_parameter(Name="/lost/answer", WithDecryption=True)
    assert found["Parameter"]["Value"] == "here"


def test_a_hang_outlasts_the_clients_patience_and_ends_when_faults_are_cleared(
    aws: AwsServer, make_client: Any
) -> None:
    aws.faults.hang("s3", "ListBuckets", times=1)
    with pytest.raises(ReadTimeoutError):
        make_client(aws.url, "s3", read_timeout=0.2).list_buckets()
    assert aws.record.wait_for("s3", "ListBuckets")
    aws.faults.clear()
    assert make_client(aws.url, "s3").list_buckets()["Buckets"] == []


def test_a_hang_of_so_many_seconds_ends_in_a_closed_connection(
    aws: AwsServer, make_client: Any
) -> None:
    aws.faults.hang("ssm", "GetParameter", seconds=0.05, times=1)
    with pytest.raises(ConnectionClosedError):
        make_client(aws.url, "ssm").get_parameter(Name="/x")
    assert aws.calls[-1].status == 0


def test_a_slow_answer_is_the_right_one(aws: AwsServer, make_client: Any) -> None:
    aws.faults.slow("s3", "ListBuckets", seconds=0.05, times=1)
    assert make_client(aws.url, "s3").list_buckets()["Buckets"] == []


def test_waiting_for_a_call_that_does_not_come_ends(aws: AwsServer) -> None:
    assert not aws.record.wait_for("ec2", "RunInstances", seconds=0.01)


def test_what_has_another_digest_than_was_said_is_refused_and_not_stored(
    aws: AwsServer, make_client: Any
) -> None:
    s3 = make_client(aws.url, "s3")
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="digests", CreateBucketConfiguration=place)
    data = b"content" * 100_000
    right = base64.b64encode(hashlib.sha256(data).digest()).decode()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="digests", Key="k", Body=data[1:], ChecksumSHA256=right)
    assert _code(error) == "BadDigest"
    assert s3.list_objects_v2(Bucket="digests")["KeyCount"] == 0
    s3.put_object(Bucket="digests", Key="k", Body=data, ChecksumSHA256=right)
    assert s3.get_object(Bucket="digests", Key="k")["Body"].read() == data
