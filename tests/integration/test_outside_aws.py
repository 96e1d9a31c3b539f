"""The same run against an AWS-compatible server of another process, as in docker-compose.yml against LocalStack."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agent.demo.play import Play, Script
from agent.demo.promises import holds_a_secret, look
from agent.localcloud.endpoint import reachable
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.outside_aws import OutsideAws


@pytest.fixture(scope="module")
def outside() -> Iterator[OutsideAws]:
    with OutsideAws() as server:
        yield server


def test_every_promise_holds_on_an_outside_account_and_nothing_of_the_run_is_left_there(
    outside: OutsideAws, central_prefect: str, tmp_path: Path
) -> None:
    step = Step(name="hello", run="echo hello")
    script = Script(
        "outside",
        runner=Scenario(job=Job(steps=(step,)), time_scale=0.05),
        settings={"PREFECT_API_URL": central_prefect, "PREFECT_LOGGING_TO_API_ENABLED": "true"},
    )
    outside.client("sqs").create_queue(QueueName="somebody-else-s")
    with Play(script, tmp_path, aws_endpoint=reachable(outside.url)) as play:
        play.start()
        promises = look(play, play.finish())
        assert [p for p in promises if not p.held] == [], "\n".join(play.lines)
        assert play.cloud.terminated_instances() == [play.cloud.instance_id]
        assert list(play.cloud.cached_archives()) != []
        assert play.cloud.aws.calls == []
        with httpx.Client(base_url=central_prefect, trust_env=False) as api:
            kinds = ("logs", "flow_runs", "task_runs", "artifacts", "events")
            kept = {kind: api.post(f"{kind}/filter", json={}).content for kind in kinds}
        assert b"runner.registered" in kept["logs"]
        assert [kind for kind in kinds if holds_a_secret(play, kept[kind])] == []
    (queue,) = outside.client("sqs").list_queues()["QueueUrls"]
    assert queue.endswith("somebody-else-s")
    assert outside.client("s3").list_buckets()["Buckets"] == []
    assert outside.client("logs").describe_log_groups()["logGroups"] == []
    assert outside.client("ssm").describe_parameters()["Parameters"] == []
    reservations = outside.client("ec2").describe_instances()["Reservations"]
    states = {i["State"]["Name"] for each in reservations for i in each["Instances"]}
    assert states == {"terminated"}


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://127.0.0.1:9", "nothing answers at http://127.0.0.1:9"),
        ("localhost:4566", "--aws-endpoint is 'localhost:4566'; give a URL"),
        ("https://sqs.eu-central-1.amazonaws.com", "is AWS itself"),
    ],
)
def test_an_endpoint_that_cannot_be_played_against_is_refused_in_one_line(
    endpoint: str, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent", "demo", "--aws-endpoint", endpoint],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, said in line) == (2, True), line
