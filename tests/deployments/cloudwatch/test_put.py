"""`deployments/cloudwatch/put` as a program, against CloudWatch over HTTP."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.localcloud.aws import AwsServer
from agent.stages.metrics import DIMENSIONS, METRICS
from deployments.cloudwatch.alarms import ALARMS
from deployments.cloudwatch.dashboard import FAILURES, body

ROOT = Path(__file__).parents[3]
TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    yield server
    server.stop()


def put(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "OPERATOR",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    program = [str(ROOT / "deployments/cloudwatch/put"), "--region", "us-east-1", *arguments]
    return subprocess.run(
        program, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def cloudwatch(aws: AwsServer) -> Any:
    session = boto3.session.Session("OPERATOR", "secret", region_name="us-east-1")
    return session.client("cloudwatch", endpoint_url=aws.url)


def test_the_dashboard_and_every_alarm_are_made_and_a_second_time_changes_nothing(
    aws: AwsServer,
) -> None:
    for _ in range(2):
        done = put(aws.url, "--topic", TOPIC)
        assert done.returncode == 0, done.stderr
    client = cloudwatch(aws)
    made = client.describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in made} == {f"RunsFleetAgent-{a.name}" for a in ALARMS}
    assert all(alarm["AlarmActions"] == [TOPIC] for alarm in made)
    dashboard = client.get_dashboard(DashboardName="RunsFleetAgent")["DashboardBody"]
    assert dashboard == body("RunsFleetAgent", "us-east-1", "/runs-fleet/agent")


def test_a_dry_run_puts_nothing(aws: AwsServer) -> None:
    done = put(aws.url, "--dry-run")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 + len(ALARMS)
    assert cloudwatch(aws).describe_alarms()["MetricAlarms"] == []


def test_a_refusal_is_one_line_that_names_the_permissions(aws: AwsServer) -> None:
    url = aws.url
    aws.stop()
    done = put(url)
    assert done.returncode == 1
    assert re.fullmatch(r"put: .*cloudwatch:PutDashboard and PutMetricAlarm\n", done.stderr)


def test_alarms_and_dashboard_ask_only_for_metrics_that_an_agent_counts() -> None:
    assert {alarm.metric for alarm in ALARMS} <= set(METRICS)
    assert ["Reason"] in DIMENSIONS
    for widget in json.loads(body("ns", "eu-west-1", "/group"))["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            assert metric[1] in METRICS


def test_the_query_finds_the_reason_in_the_line_that_an_agent_writes() -> None:
    line = "2026-11-25T08:00:00.000Z INFO record run.ended reason=spot_notice status=interrupted"
    pattern = re.escape('reason=* "'[:-1]).replace(r"\*", "(.*?)")
    assert '@message "reason=* " as reason' in FAILURES
    found = re.search(pattern, line)
    assert found is not None
    assert found[1] == "spot_notice"


def test_every_alarm_says_what_to_do() -> None:
    assert all(len(alarm.why) > 60 for alarm in ALARMS)
    assert len({alarm.name for alarm in ALARMS}) == len(ALARMS)
