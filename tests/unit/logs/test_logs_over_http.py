"""The shipper and boto3 against moto's server over real HTTP, with the limits that moto does not know."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.logs.batch import CONTINUED
from agent.logs.cloudwatch import LogsClient
from agent.logs.quick_put import put_quickly
from agent.logs.shipper import Flushed, Shipper
from agent.redact import Redactor
from tests.fakes_logs import check_limits

GROUP, RUNNER = "/runs-fleet/agent", "4711/i-1/runner"
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # moto keeps one state a process: whatever test ran here before left its streams in it.
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "logs",
        region_name="eu-central-1",
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=10),
    )


class Strict:
    """A true client that refuses what AWS would refuse."""

    def __init__(self, client: LogsClient) -> None:
        self._client = client
        self.create_log_group = client.create_log_group
        self.create_log_stream = client.create_log_stream

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **names: str) -> dict[str, Any]:  # noqa: N803
        check_limits(logEvents)
        return self._client.put_log_events(logEvents=logEvents, **names)


def messages(client: Any, stream: str) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = client.get_log_events(
            logGroupName=GROUP, logStreamName=stream, startFromHead=True, limit=10_000, **token
        )
        if not page["events"]:
            return found
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}


def shipper_of(client: LogsClient) -> Shipper:
    return Shipper(
        client,
        GROUP,
        clock=CLOCK,
        redactor=Redactor(),
        on_shipped=lambda *_: None,
        flush_seconds=0.05,
        poll_seconds=0.01,
    )


WRITER = """
import sys
for number in range(10_000):
    print(f"line {number}", flush=number % 500 == 0)
"""


def test_ten_thousand_lines_of_a_process_are_in_cloudwatch_once_and_in_order(
    endpoint: str, tmp_path: Path
) -> None:
    client = client_of(endpoint)
    shipper = shipper_of(Strict(put_quickly(client)))
    path = tmp_path / "run.log"
    shipper.start()
    shipper.follow(path, RUNNER)
    with path.open("wb") as out:
        subprocess.run([sys.executable, "-c", WRITER], stdout=out, check=True, timeout=60)
    flushed = shipper.flush(Deadline.after(CLOCK, 30), final=True)
    shipper.stop()
    assert flushed == Flushed(complete=True, sent_lines={RUNNER: 10_000})
    assert messages(client, RUNNER) == [f"line {number}" for number in range(10_000)]


def test_strange_lines_arrive_as_they_were_defined(endpoint: str, tmp_path: Path) -> None:
    client = client_of(endpoint)
    shipper = shipper_of(Strict(client))
    path = tmp_path / "run.log"
    path.write_bytes(
        b"\n\x1b[1mbold\x1b[0m\r\n\xff\x00\n" + "ä€😀".encode() + b"\n" + b"x" * 600_000
    )
    shipper.follow(path, "4711/i-2/runner")
    flushed = shipper.flush(Deadline.after(CLOCK, 30), final=True)
    shipper.stop()
    assert flushed == Flushed(complete=True, sent_lines={"4711/i-2/runner": 7})
    first, bold, broken, uni, *long = messages(client, "4711/i-2/runner")
    assert (first, bold, broken, uni) == (" ", "\x1b[1mbold\x1b[0m", "\ufffd\ufffd", "ä€😀")
    assert all(piece.startswith(CONTINUED) for piece in long[1:])
    assert "".join(piece.removeprefix(CONTINUED) for piece in long) == "x" * 600_000


def test_an_endpoint_that_nobody_serves_makes_an_incomplete_flush_in_time(tmp_path: Path) -> None:
    shipper = shipper_of(client_of("http://127.0.0.1:9"))
    path = tmp_path / "run.log"
    path.write_text("one\n")
    shipper.follow(path, RUNNER)
    flushed = shipper.flush(Deadline.after(CLOCK, 0.5), final=True)
    shipper.stop()
    assert flushed == Flushed(complete=False, unsent_lines=1, sent_lines={RUNNER: 0})


def test_a_body_that_we_write_ourselves_is_what_botocore_would_have_sent(endpoint: str) -> None:
    quick, plain = put_quickly(client_of(endpoint)), client_of(endpoint)
    plain.create_log_group(logGroupName="/quick")
    now = int(CLOCK.utc().timestamp() * 1000)
    said = ["plain", " ", "ä€😀", 'quotes " and \\', "\x1b[1m\t\u2028\x7f"]
    events = [{"timestamp": now + n, "message": text} for n, text in enumerate(said)]
    for client, name in ((quick, "quick"), (plain, "plain")):
        plain.create_log_stream(logGroupName="/quick", logStreamName=name)
        client.put_log_events(logGroupName="/quick", logStreamName=name, logEvents=events)
    found = [
        [
            (event["timestamp"], event["message"])
            for event in plain.get_log_events(
                logGroupName="/quick", logStreamName=name, startFromHead=True
            )["events"]
        ]
        for name in ("quick", "plain")
    ]
    assert found[0] == found[1] == [(now + n, text) for n, text in enumerate(said)]


def test_other_calls_of_the_quick_client_are_as_ever(endpoint: str) -> None:
    client = put_quickly(client_of(endpoint))
    client.create_log_group(logGroupName="/other")
    groups = client.describe_log_groups(logGroupNamePrefix="/other")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/other"]
