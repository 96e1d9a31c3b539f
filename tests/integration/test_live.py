"""The live test from its first step to its last, on the embedded account, with the real agent on the instance that it launched."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.demo.play import Play, Script
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.deployments.dev.github_rest import GitHubRest
from tests.deployments.dev.live_account import TEMPLATE, Live, make_template

NOT_SEEN = ("C-8.4", "C-8.9", "C-8.10", "C-8.11", "C-8.13", "C-8.14")


@pytest.mark.timeout(240)
def test_a_simple_job_is_launched_watched_verified_and_taken_away(
    central_prefect: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"PREFECT_API_URL": central_prefect}
    steps = (Step(name="hello", run='echo "hello from $RUNNER_NAME"'),)
    script = Script("live", runner=Scenario(job=Job(steps=steps), time_scale=0.05), settings=settings)  # fmt: skip
    with Play(script, tmp_path) as play, GitHubRest(play.cloud.github) as rest:
        cloud = play.cloud
        make_template(cloud._client("ec2"))
        live = Live(monkeypatch, cloud.aws_url, rest.url, tmp_path)
        wanted = ("--id", "one", "--repo", "octo-org/live-test", "--launch-template", TEMPLATE)
        queue = ("--queue-url", cloud.queue_url, "--own-queue")
        assert live("check", *wanted, *queue, "--bucket", cloud.names.bucket) == 0
        assert live("launch", *wanted, *queue) == 0
        launched = json.loads((live.records / "one.json").read_text())["instance_id"]
        foreign = json.dumps({"instance_id": "i-somebody-else-s", "status": "started"})
        sqs = cloud._client("sqs")
        sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=foreign)

        settings["RUNS_FLEET_INSTANCE_ID"] = launched
        play.start()
        assert live("watch", "--id", "one", "--every", "0.5", "--minutes", "3") == 0
        assert play.finish() == 0, "\n".join(play.lines)
        watched = capsys.readouterr().out
        for told in ("is running", "is terminated", "Listening for Jobs", "SQS: success"):
            assert told in watched

        assert live("verify", "--id", "one") == 0
        rows = capsys.readouterr().out.splitlines()
        unseen = [row.split()[0] for row in rows if " not seen " in row]
        assert (len(rows), tuple(unseen)) == (14, NOT_SEEN), "\n".join(rows)
        assert rest.dispatched == [
            ("simple.yml", {"ref": "main", "inputs": {"runner": "runs-fleet-live-one"}})
        ]

        assert live("leftovers", "--id", "one") == 0
        assert "nothing is left of one" in capsys.readouterr().out
        assert live("tear-down", "--id", "one") == 0
        assert cloud.log_streams() == []
        assert [m["instance_id"] for m in cloud.messages()] == ["i-somebody-else-s"]
        assert cloud.instance_state() == "running", "it has no tag of the test's"
        assert _secrets_in(live.records, play) == []


def _secrets_in(folder: Path, play: Play) -> list[str]:
    texts: dict[str, Any] = {path.name: path.read_text() for path in folder.iterdir()}
    return [name for name, text in texts.items() if any(t in text for t in play.cloud.github.valid_tokens)]  # fmt: skip


@pytest.mark.timeout(240)
def test_an_agent_that_is_told_to_stop_in_mid_job_is_seen_to_be_graceful(
    central_prefect: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"PREFECT_API_URL": central_prefect}
    steps = (Step(name="work", run="for i in $(seq 600); do sleep 0.1; done"),)
    script = Script("live", runner=Scenario(job=Job(steps=steps), time_scale=0.05), settings=settings)  # fmt: skip
    with Play(script, tmp_path) as play, GitHubRest(play.cloud.github, ["long.yml"]) as rest:
        make_template(play.cloud._client("ec2"))
        live = Live(monkeypatch, play.cloud.aws_url, rest.url, tmp_path)
        wanted = ("--id", "two", "--repo", "octo-org/live-test", "--launch-template", TEMPLATE)
        assert live("launch", *wanted, "--scenario", "sigterm", "--no-dispatch") == 0
        launched = json.loads((live.records / "two.json").read_text())["instance_id"]
        settings["RUNS_FLEET_INSTANCE_ID"] = launched

        def stop() -> None:
            play.wait_for("job.started")
            assert live("interrupt", "--id", "two") == 0
            play.signal(signal.SIGTERM)

        play.start()
        stopping = threading.Thread(target=stop)
        stopping.start()
        assert live("watch", "--id", "two", "--every", "0.5", "--minutes", "3") == 0
        stopping.join()
        play.finish()
        assert live("verify", "--id", "two") == 0
        rows = {row.split()[0]: row for row in capsys.readouterr().out.splitlines()}
        assert " held " in rows["C-8.9"]
        assert "somebody else ended this one" in rows["C-8.5"]
