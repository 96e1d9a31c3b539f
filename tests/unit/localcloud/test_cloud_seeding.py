"""What a LocalCloud holds at its start and tells afterwards, on a standard queue."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.localcloud.cloud import LOG_GROUP, LocalCloud
from agent.localcloud.github_releases import ArchiveOnDisk


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, plain_archive: Any) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), plain_archive) as cloud:
        yield cloud


@pytest.fixture
def agent(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Clients that know nothing but the environment, as the agent's do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return boto3.session.Session(region_name=cloud.region).client


def test_the_environment_is_all_that_boto3_needs(cloud: LocalCloud, agent: Any) -> None:
    credentials = agent("sts")._request_signer._credentials
    assert credentials.method == "iam-role"
    assert agent("ec2").describe_instances(InstanceIds=[cloud.instance_id])["Reservations"]
    assert cloud.aws.calls[-1].operation == "DescribeInstances"


def test_the_environment_may_name_the_instance(cloud: LocalCloud) -> None:
    assert "RUNS_FLEET_INSTANCE_ID" not in cloud.environment()
    named = cloud.environment(instance_id=True)
    assert named["RUNS_FLEET_INSTANCE_ID"] == cloud.instance_id
    assert not Path(named["AWS_CONFIG_FILE"]).exists()


def test_a_whole_environment_leaves_the_machines_own_aws_settings_out(cloud: LocalCloud) -> None:
    base = {"PATH": "/bin", "AWS_PROFILE": "mine", "RUNS_FLEET_DRY_RUN": "true"}
    whole = cloud.environment_over(base, RUNS_FLEET_STATE_DIR="/tmp/state")
    assert whole == {"PATH": "/bin", "RUNS_FLEET_STATE_DIR": "/tmp/state"} | cloud.environment()


def test_the_config_is_a_secure_string_of_the_contracts_keys(cloud: LocalCloud, agent: Any) -> None:
    written = cloud.write_config(run_id="1", labels=None, cache_url="http://cache")
    name = f"/runs-fleet/runners/{cloud.instance_id}/config"
    found = agent("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert found["Type"] == "SecureString"
    assert json.loads(found["Value"]) == written
    assert "labels" not in written
    assert (written["run_id"], written["cache_url"]) == ("1", "http://cache")
    assert written["termination_queue_url"] == cloud.queue_url
    assert written["jit_token"] in cloud.github.valid_tokens
    assert cloud.write_config()["jit_token"] != written["jit_token"]


def test_parameters_are_listed_until_they_are_deleted(cloud: LocalCloud, agent: Any) -> None:
    prefix = f"/runs-fleet/runners/{cloud.instance_id}"
    cloud.write_raw_config("{not json")
    cloud.write_credential({"jit_config": "x"})
    assert cloud.parameters() == [f"{prefix}/config", f"{prefix}/credential"]
    agent("ssm").delete_parameters(Names=cloud.parameters())
    assert cloud.parameters() == []


def test_a_jit_config_holds_the_runners_three_files_and_what_was_added(cloud: LocalCloud) -> None:
    encoded = cloud.encoded_jit_config("jit-1", {"../evil": b"x"})
    files = json.loads(base64.b64decode(encoded))
    assert set(files) == {".runner", ".credentials", ".credentials_rsaparams", "../evil"}
    settings = json.loads(base64.b64decode(files[".runner"]))
    assert (settings["AgentName"], settings["Ephemeral"]) == ("jit-1", "True")
    assert all(isinstance(value, str) for value in settings.values())


def test_messages_are_remembered_in_order_after_they_were_taken_out(
    cloud: LocalCloud, agent: Any
) -> None:
    sqs = agent("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=json.dumps({"n": number}))
    assert [m["n"] for m in cloud.messages()] == list(range(12))
    sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=json.dumps({"n": 12}))
    assert [m["n"] for m in cloud.messages()] == list(range(13))
    assert "SentTimestamp" in cloud.raw_messages()[0]["Attributes"]


def test_log_lines_come_from_all_pages_in_order(cloud: LocalCloud, agent: Any) -> None:
    logs = agent("logs")
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="4711/i-1/runner")
    now = int(datetime.now(UTC).timestamp() * 1000)
    lines = [f"line {n}" for n in range(10_050)]
    for part in (lines[:9_000], lines[9_000:]):
        logs.put_log_events(
            logGroupName=LOG_GROUP,
            logStreamName="4711/i-1/runner",
            logEvents=[{"timestamp": now, "message": line} for line in part],
        )
    assert cloud.log_streams() == ["4711/i-1/runner"]
    assert cloud.log_lines("4711/i-1/runner") == lines
    assert cloud.log_lines("no such stream") == []


def test_the_cache_holds_what_was_put_with_its_metadata(
    cloud: LocalCloud, agent: Any, plain_archive: ArchiveOnDisk
) -> None:
    key = cloud.put_cached(plain_archive.path, sha256=plain_archive.sha256)
    assert key == "runners/2.336.0/x64/actions-runner-2.336.0.tar.gz"
    assert cloud.cached_archives() == {key: (1_000_000, {"sha256": plain_archive.sha256})}
    body = agent("s3").get_object(Bucket="runs-fleet-cache", Key=key)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == plain_archive.sha256
    cloud.put_cached(b"poison", sha256=None)
    assert cloud.cached_archives() == {key: (6, {})}


def test_the_operators_own_calls_are_in_no_record_and_meet_no_fault(cloud: LocalCloud) -> None:
    before = cloud.aws.calls
    cloud.faults.fail("ssm", "*", status=500, code="Down")
    cloud.write_config()
    cloud.faults.clear()
    assert cloud.aws.calls == before


def test_termination_is_seen_but_a_dry_run_is_not(cloud: LocalCloud, agent: Any) -> None:
    ec2 = agent("ec2")
    assert cloud.instance_state() == "running"
    with pytest.raises(ec2.exceptions.ClientError, match="DryRunOperation"):
        ec2.terminate_instances(InstanceIds=[cloud.instance_id], DryRun=True)
    assert cloud.terminated_instances() == []
    ec2.terminate_instances(InstanceIds=[cloud.instance_id])
    assert cloud.terminated_instances() == [cloud.instance_id]
    assert cloud.instance_state() == "terminated"
