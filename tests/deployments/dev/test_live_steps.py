"""What each step of the live test does and leaves alone, on an embedded account over HTTP."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.clock import SystemClock
from deployments.live.account import Place, opened
from deployments.live.github import Repository, connected
from deployments.live.launch import Launch, Machine
from deployments.live.publish import publish
from deployments.live.record import TAG, Record, Records
from tests.deployments.dev.github_rest import TOKEN
from tests.deployments.dev.live_account import (
    ACCOUNT,
    GROUP,
    REGION,
    TEMPLATE,
    WANTED,
    Account,
    make_template,
)


def test_a_launch_makes_one_tagged_instance_and_a_secret_config(account: Account) -> None:
    record = account.launched()
    assert account.states() == {record.instance_id: "running"}
    found = account.client("ec2").describe_instances(InstanceIds=[record.instance_id])
    (instance,) = found["Reservations"][0]["Instances"]
    assert {"Key": TAG, "Value": "one"} in instance["Tags"]
    name = f"/runs-fleet/runners/{record.instance_id}/config"
    parameter = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    config = json.loads(parameter["Value"])
    assert parameter["Type"] == "SecureString"
    assert config["labels"] == ["self-hosted", "runs-fleet-live-one"]
    assert (config["jit_token"], config["run_id"]) == ("A-TOKEN", "live-one")


def test_the_same_id_is_not_launched_twice(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.launched()
    assert account.live("launch", *WANTED) == 2
    assert len(account.states()) == 1
    assert "was launched already" in capsys.readouterr().err


def test_nothing_is_launched_from_a_template_that_would_leave_an_instance_behind(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"InstanceInitiatedShutdownBehavior": "stop"}, "a power-off would not terminate"),
        ({"MetadataOptions": None}, "IMDSv1 is open"),
        ({"IamInstanceProfile": None}, "could not end itself"),
        ({"UserData": None}, "nothing starts the agent"),
    ]
    for number, (wrong, said) in enumerate(cases):
        make_template(account.client("ec2"), f"wrong-{number}", **wrong)
        assert account.live("launch", *WANTED, "--launch-template", f"wrong-{number}") == 2
        assert said in capsys.readouterr().err
    assert account.states() == {}


def test_nothing_is_launched_for_a_workflow_that_the_repository_does_not_have(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.live("launch", *WANTED, "--scenario", "complex") == 2
    assert account.states() == {}
    assert "has no workflow complex.yml" in capsys.readouterr().err


def test_a_launch_that_fails_half_way_leaves_no_instance_running_or_says_so(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.server.faults.fail("ssm", "PutParameter", status=400, code="AccessDeniedException")
    assert account.live("launch", *WANTED) == 1
    assert set(account.states().values()) == {"terminated"}
    account.server.faults.fail(
        "ec2", "TerminateInstances", status=403, code="UnauthorizedOperation"
    )
    assert account.live("launch", *WANTED, "--id", "again") == 1
    assert "COULD NOT BE TERMINATED" in capsys.readouterr().out


def test_a_launch_whose_answer_is_lost_is_taken_back_by_its_tag(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.lose_launches()
    assert account.live("launch", *WANTED) == 1
    assert set(account.states().values()) == {"terminated"}
    assert "terminated: i-" in capsys.readouterr().out
    record = Records(account.live.records).load("one")
    assert (record.instance_id, record.parameters) == ("", ())
    assert account.live("launch", *WANTED) == 2, "its name may be taken by an instance"


def test_tear_down_finds_what_a_lost_launch_made(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.server.faults.fail("ec2", "TerminateInstances", status=403, code="UnauthorizedOperation")  # fmt: skip
    account.lose_launches()
    assert account.live("launch", *WANTED) == 1
    assert "the instance COULD NOT BE TERMINATED" in capsys.readouterr().out
    assert set(account.states().values()) == {"running"}
    account.server.faults.clear()
    assert account.live("tear-down", "--id", "one") == 0
    assert set(account.states().values()) == {"terminated"}
    assert Records(account.live.records).load("one").instance_id in account.states()


def test_nothing_is_launched_where_no_record_can_be_kept(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.live.records.write_text("a file where the directory should be")
    assert account.live("launch", *WANTED) == 1
    assert account.states() == {}
    assert str(account.live.records) in capsys.readouterr().err


class FullDisk(Records):
    """Takes a record once."""

    def save(self, record: Record) -> None:
        if self.has(record.test_id):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().save(record)


def test_an_instance_that_cannot_be_written_down_is_taken_back(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    session, place = boto3.session.Session(region_name=REGION), Place(ACCOUNT, REGION)
    aws = opened(session, place, dry_run=False, say=print)
    wanted = Record("full", ACCOUNT, REGION, "octo-org/live-test", "simple", "/p", GROUP, "")
    records = FullDisk(account.live.records)
    with connected(account.rest.url, TOKEN) as http:
        repository = Repository(wanted.repo, http, print)
        launch = Launch(aws, repository, records, clock=SystemClock(), say=print)
        with pytest.raises(OSError, match="No space left"):
            launch(wanted, Machine(TEMPLATE, "$Default"), ref=None)
    ((instance_id, state),) = account.states().items()
    assert state == "terminated"
    assert f"terminated: {instance_id}" in capsys.readouterr().out
    assert records.load("full").instance_id == ""


def test_a_launch_that_ec2_refuses_is_told_apart_from_a_test_that_can_be_watched(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.server.faults.fail("ec2", "RunInstances", status=400, code="VcpuLimitExceeded")
    assert account.live("launch", *WANTED, "--id", "refused") == 1
    assert f"no instance has the tag {TAG}=refused yet" in capsys.readouterr().out
    for step in ("watch", "verify"):
        assert account.live(step, "--id", "refused") == 2
        assert "`live tear-down --id refused`" in capsys.readouterr().err
    for step in ("tear-down", "leftovers"):
        assert account.live(step, "--id", "refused") == 0


def test_a_launch_that_fails_half_way_leaves_no_registration_token_or_says_so(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.rest.dispatches = False
    assert account.live("launch", *WANTED) == 2
    record = Records(account.live.records).load("one")
    assert _parameters(account).isdisjoint(record.parameters)
    assert set(account.states().values()) == {"terminated"}
    account.server.faults.fail("ssm", "DeleteParameter", status=400, code="AccessDeniedException")
    assert account.live("launch", *WANTED, "--id", "again") == 2
    record = Records(account.live.records).load("again")
    assert record.parameters[0] in _parameters(account)
    assert f"{record.parameters[0]} COULD NOT BE DELETED" in capsys.readouterr().out


def _parameters(account: Account) -> set[str]:
    return {p["Name"] for p in account.client("ssm").describe_parameters()["Parameters"]}


def test_watch_gives_up_after_its_limit(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.launched()
    assert account.live("watch", "--id", "one", "--minutes", "0", "--every", "0.1") == 1
    assert "`live tear-down` ends it" in capsys.readouterr().out


def test_what_is_left_is_named_until_it_is_torn_down(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    record = account.launched()
    ec2, ssm = account.client("ec2"), account.client("ssm")
    (foreign,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    theirs = "/runs-fleet/runners/i-1/config"
    ssm.put_parameter(Name=theirs, Value="x", Type="String")
    account.rest.runners = [{"id": 7, "name": record.runner, "status": "offline"}]
    assert account.live("leftovers", "--id", "one") == 1
    said = capsys.readouterr().out
    assert f"left: instance {record.instance_id}" in said
    assert f"left: parameter {record.parameters[0]}" in said
    assert f"left: runner {record.runner} (offline)" in said
    assert "left: Volume vol-" in said

    assert account.live("tear-down", "--id", "one") == 0
    assert account.live("tear-down", "--id", "one") == 0, "any number of times"
    assert account.states() == {record.instance_id: "terminated", foreign["InstanceId"]: "running"}
    left = [each["Name"] for each in ssm.describe_parameters()["Parameters"]]
    assert theirs in left
    assert record.parameters[0] not in left
    assert account.rest.runners == []
    capsys.readouterr()
    assert account.live("leftovers", "--id", "one") == 0
    assert capsys.readouterr().out == "nothing is left of one\n"


def test_tear_down_calls_what_the_page_says_that_it_may_call(account: Account) -> None:
    sqs, logs = account.client("sqs"), account.client("logs")
    queue = sqs.create_queue(QueueName="own")["QueueUrl"]
    words = ("--id", "rights", "--queue-url", queue, "--own-queue")
    assert account.live("launch", *WANTED, *words) == 0
    record = Records(account.live.records).load("rights")
    for instance in (record.instance_id, "i-somebody-else-s"):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"instance_id": instance}))
    logs.create_log_stream(logGroupName=GROUP, logStreamName="live-rights/x/agent")
    before = len(account.server.calls)
    assert account.live("tear-down", "--id", "rights") == 0
    called = {f"{c.service}:{c.operation}" for c in account.server.calls[before:]}
    page = (Path(__file__).parents[3] / "docs/live.md").read_text()
    # The row of tear-down says "those" of the one before it.
    rows = re.findall(r"^\| `(?:interrupt|tear-down)` \|.*", page, re.MULTILINE)
    may = set(re.findall(r"`(\w+:\w+)`", " ".join(rows)))
    assert called - {"sts:GetCallerIdentity"} == may


def test_check_names_everything_that_is_not_there(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("--launch-template", "none", "--bucket", "none", "--log-group", "/none")
    queue = ("--queue-url", f"{account.server.url}/{ACCOUNT}/none")
    assert account.live("check", *WANTED, *names, *queue, "--scenario", "complex") == 1
    marks = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    things = ("launch", "bucket", "queue", "log", "workflow")
    assert marks == [["✓", "account"], *(["✗", thing] for thing in things)]


def test_publish_calls_the_program_that_publishes_in_the_account_that_was_checked(
    account: Account, tmp_path: Path
) -> None:
    program = tmp_path / "publish"
    program.write_text('#!/bin/sh\necho "$AWS_PROFILE $*" > "$0.called"\n')
    program.chmod(0o755)
    session = boto3.session.Session(region_name=REGION)
    aws = opened(session, Place(ACCOUNT, REGION), dry_run=True, say=lambda _: None)
    assert publish(aws, "b", lambda _: None, profile="mine", program=program)
    called = (tmp_path / "publish.called").read_text().strip()
    assert called == f"mine --bucket b --region {REGION} --dry-run"
    assert account.asked() == ["GetCallerIdentity"]
