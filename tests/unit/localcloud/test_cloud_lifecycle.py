"""Starting, stopping, and the FIFO queue: each test has a cloud of its own."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.clock import SystemClock
from agent.localcloud.aws import AwsServer
from agent.localcloud.aws_limits import FIFO_MEMORY_SECONDS
from agent.localcloud.cloud import LocalCloud
from agent.localcloud.github_releases import ArchiveOnDisk


class ClockAhead(SystemClock):
    """The system's clock, a settable number of seconds ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def test_a_fifo_queue_takes_a_message_once_in_five_minutes_even_after_it_was_deleted(
    tmp_path: Path, plain_archive: ArchiveOnDisk, make_client: Any
) -> None:
    clock = ClockAhead()
    with LocalCloud(tmp_path, plain_archive, fifo=True, clock=clock) as cloud:
        sqs = make_client(cloud.aws.url, "sqs")

        def send(identity: str) -> str:
            return str(
                sqs.send_message(
                    QueueUrl=cloud.queue_url,
                    MessageBody=json.dumps({"id": identity}),
                    MessageGroupId="i-1",
                    MessageDeduplicationId=identity,
                )["MessageId"]
            )

        first = send("a")
        assert [m["id"] for m in cloud.messages()] == ["a"]
        assert send("a") == first
        send("b")
        assert [m["id"] for m in cloud.messages()] == ["a", "b"]
        assert cloud.raw_messages()[0]["Attributes"]["MessageGroupId"] == "i-1"
        clock.ahead = FIFO_MEMORY_SECONDS
        assert send("a") != first
        assert [m["id"] for m in cloud.messages()] == ["a", "b", "a"]


def test_a_second_cloud_starts_empty_and_a_stopped_one_leaves_no_thread_and_no_port(
    tmp_path: Path, plain_archive: ArchiveOnDisk
) -> None:
    before = set(threading.enumerate())
    with LocalCloud(tmp_path, plain_archive) as cloud:
        cloud.write_config()
        cloud.put_cached(b"x", sha256=None)
        urls = [cloud.aws.url, cloud.metadata.url, cloud.github.url]
    assert set(threading.enumerate()) == before
    for url in urls:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=5)
    with LocalCloud(tmp_path, plain_archive, instance_id="i-wanted") as cloud:
        assert (cloud.parameters(), cloud.cached_archives()) == ([], {})
        assert cloud.instance_id == "i-wanted"


def test_stopping_lets_go_of_a_call_that_hangs(
    tmp_path: Path, plain_archive: ArchiveOnDisk, make_client: Any
) -> None:
    before = set(threading.enumerate())
    failed: list[Exception] = []

    def call(url: str) -> None:
        try:
            make_client(url, "s3").list_buckets()
        except Exception as exc:  # noqa: BLE001
            failed.append(exc)

    with LocalCloud(tmp_path, plain_archive) as cloud:
        cloud.faults.hang("s3", "*", seconds=60)
        caller = threading.Thread(target=call, args=(cloud.aws.url,))
        caller.start()
        assert cloud.aws.record.wait_for("s3", "ListBuckets")
    caller.join(5)
    assert failed
    assert set(threading.enumerate()) == before


def test_only_one_can_be_alive_and_a_refused_one_leaves_the_first_alone(
    tmp_path: Path, plain_archive: ArchiveOnDisk
) -> None:
    with LocalCloud(tmp_path, plain_archive) as cloud:
        cloud.write_config()
        with pytest.raises(RuntimeError, match="one AwsServer a process"):
            LocalCloud(tmp_path, plain_archive).__enter__()
        assert len(cloud.parameters()) == 1


def test_a_start_that_fails_halfway_leaves_nothing_running(
    tmp_path: Path, plain_archive: ArchiveOnDisk
) -> None:
    before = set(threading.enumerate())
    cloud = LocalCloud(tmp_path, plain_archive)
    cloud.github.start()  # so that its second start fails, after AWS and IMDS are up
    with pytest.raises(RuntimeError, match="running already"):
        cloud.__enter__()
    cloud.github.stop()
    assert set(threading.enumerate()) == before
    server = AwsServer()
    server.start()
    server.stop()
