"""`logs` against CloudWatch over real HTTP, and as a command of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.clock import SystemClock
from agent.errors import AwsError
from agent.localcloud.aws import AwsServer
from agent.read_logs import Reader
from tests.fakes_logs import refusal

GROUP, AGENT, RUNNER = "/runs-fleet/agent", "4711/i-1/agent", "4711/i-1/runner"
NOW = int(datetime.now(UTC).timestamp() * 1000) - 60_000
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class Said:
    """A CloudWatch with two streams of a run and one of another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = boto3.client(
            "logs",
            region_name="eu-central-1",
            endpoint_url=url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def say(self, stream: str, at: int, *lines: str) -> None:
        events = [{"timestamp": NOW + at + n, "message": text} for n, text in enumerate(lines)]
        self.client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    def reader(self, run_id: str = "4711") -> Reader:
        return Reader(self.client, GROUP, run_id, clock=SystemClock())


@pytest.fixture
def said() -> Iterator[Said]:
    server = AwsServer()
    server.start()
    said = Said(server.url)
    said.client.create_log_group(logGroupName=GROUP)
    for stream in (AGENT, RUNNER, "47110/i-2/runner"):
        said.client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    said.say(AGENT, 0, "began")
    said.say(RUNNER, 5, "one", "two")
    said.say(AGENT, 10, "ended")
    said.say("47110/i-2/runner", 1, "another run")
    yield said
    said.client.delete_log_group(logGroupName=GROUP)
    server.stop()


def test_two_streams_are_one_by_time_and_other_runs_are_left_out(said: Said) -> None:
    found = list(said.reader().so_far())
    assert [each.text for each in found] == ["began", "one", "two", "ended"]
    assert str(found[1]).endswith(" runner | one")


def test_more_than_a_page_of_lines_is_read_whole(said: Said) -> None:
    said.say(RUNNER, 1000, *(f"line {number}" for number in range(9_999)))
    texts = [each.text for each in said.reader().so_far()]
    assert texts[4:] == [f"line {number}" for number in range(9_999)]


def test_following_shows_each_line_once_and_ends_with_the_run(said: Said) -> None:
    shown = said.reader().follow()
    assert [next(shown).text for _ in range(4)] == ["began", "one", "two", "ended"]
    later = threading.Timer(
        0.5, said.say, (AGENT, 20, "late", "2026 INFO x instance.terminate instance_id=i-1")
    )
    later.start()
    assert [each.text.split()[-1] for each in shown] == ["late", "instance_id=i-1"]
    later.join()


def test_a_refusal_names_the_call_and_its_mend() -> None:
    class Refuses:
        def filter_log_events(self, **_: Any) -> dict[str, Any]:
            raise refusal("AccessDeniedException")

    with pytest.raises(AwsError, match="logs:FilterLogEvents"):
        list(Reader(Refuses(), GROUP, "4711", clock=SystemClock()).so_far())


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", "logs", *arguments],
        env={**os.environ, **CREDENTIALS, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_prints_a_run_to_stdout(said: Said) -> None:
    done = command("4711", AWS_ENDPOINT_URL=said.url, AWS_REGION="eu-central-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.rpartition("| ")[2] for line in done.stdout.splitlines()] == [
        "began",
        "one",
        "two",
        "ended",
    ]


def test_a_run_that_is_not_there_is_one_clear_line(said: Said) -> None:
    done = command("1", AWS_ENDPOINT_URL=said.url, AWS_REGION="eu-central-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no stream of run 1 in /runs-fleet/agent in eu-central-1" in done.stderr


def test_without_a_run_the_machine_s_own_is_meant(tmp_path: Path) -> None:
    done = command(RUNS_FLEET_STATE_DIR=str(tmp_path), AWS_REGION="eu-central-1")
    assert done.returncode == 1
    assert "`runs-fleet-agent logs RUN_ID`" in done.stderr
