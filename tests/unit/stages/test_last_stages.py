"""Messages and the terminate call against a cloud that refuses."""

import json
from collections.abc import Callable

import pytest

from agent.errors import AwsError
from agent.journal.facts import InstanceKnown
from agent.outcome import Outcome, Reason, Status
from agent.stages.clean_up import clean_up
from agent.stages.end import finish
from agent.stages.fetch_config import fetch_config
from agent.stages.note_instance import note_instance
from agent.stages.notify import notify
from agent.stages.record import record_outcome
from agent.stages.ship_logs import ship_logs
from agent.stages.terminate import terminate
from tests.unit.stages.conftest import Machine

QUICK = {"RUNS_FLEET_FINISH_TIMEOUT_SECONDS": "3", "RUNS_FLEET_NOTIFY_TIMEOUT_SECONDS": "1"}
LOST = Outcome(Reason.TOKEN_EXPIRED, "GitHub answered 404", exit_code=-1)


def test_a_final_message_says_how_it_ended_and_is_sent_once(machine: Machine) -> None:
    machine.cloud.write_config()
    run = machine.run()
    fetch_config(run, deadline=machine.in_seconds(5))
    record_outcome(run, LOST)
    assert notify(run, Status.FAILURE)
    assert notify(run, Status.FAILURE)
    (message,) = machine.cloud.messages()
    assert (message["status"], message["reason"]) == ("failure", "token_expired")
    assert message["error"].startswith("GitHub answered 404; mint the token")


def test_a_queue_that_does_not_exist_is_named_with_its_mend(machine: Machine) -> None:
    wrong = machine.cloud.queue_url.replace("runs-fleet-termination", "no-such-queue")
    run = machine.run(RUNS_FLEET_TERMINATION_QUEUE_URL=wrong)
    record_outcome(run, LOST)
    with pytest.raises(AwsError, match="no-such-queue") as caught:
        notify(run, Status.FAILURE)
    assert not caught.value.transient
    assert "its name, account and region" in caught.value.mend


def test_a_message_that_cannot_be_sent_is_in_the_log_and_the_instance_ends(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = machine.cloud.queue_url.replace("runs-fleet-termination", "no-such-queue")
    run = machine.run(RUNS_FLEET_TERMINATION_QUEUE_URL=wrong, **QUICK)
    record_outcome(run, LOST)
    assert finish(run)
    assert machine.cloud.terminated_instances() == [machine.cloud.instance_id]
    (line,) = [record for record in caplog.messages if "message.not_sent" in record]
    assert "token_expired" in line


def test_a_fifo_queue_gets_group_and_deduplication_id(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(fifo=True)
    machine.cloud.write_config()
    run = machine.run()
    fetch_config(run, deadline=machine.in_seconds(5))
    record_outcome(run, LOST)
    notify(run, Status.FAILURE)
    (raw,) = machine.cloud.raw_messages()
    assert raw["Attributes"]["MessageGroupId"]
    assert raw["Attributes"]["MessageDeduplicationId"]
    assert json.loads(raw["Body"])["job_id"] == "815"


def test_without_a_queue_the_end_comes_all_the_same(machine: Machine) -> None:
    run = machine.run(**QUICK)
    record_outcome(run, Outcome(Reason.NO_CONFIG, "nothing came", exit_code=-1))
    assert finish(run)
    assert machine.cloud.terminated_instances() == [machine.cloud.instance_id]
    assert machine.cloud.messages() == []


def test_a_terminate_call_that_is_refused_names_the_permission(machine: Machine) -> None:
    machine.cloud.faults.fail("ec2", "TerminateInstances", status=403, code="UnauthorizedOperation")
    run = machine.run()
    with pytest.raises(AwsError, match="ec2:TerminateInstances") as caught:
        terminate(run)
    assert "give the instance role" in caught.value.mend
    assert run.progress.terminated is None


def test_a_refused_terminate_call_is_followed_by_the_power_off_command(machine: Machine) -> None:
    machine.cloud.faults.fail("ec2", "TerminateInstances", status=403, code="UnauthorizedOperation")
    mark = machine.workdir / "powered-off"
    run = machine.run(RUNS_FLEET_POWER_OFF_COMMAND=f"touch '{mark}'", **QUICK)
    record_outcome(run, LOST)
    assert finish(run)
    assert mark.exists()
    assert run.progress.terminated is not None
    assert run.progress.terminated.how == "power_off"


def test_without_a_power_off_command_the_end_says_that_the_instance_lives_on(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.cloud.faults.fail("ec2", "TerminateInstances", status=403, code="UnauthorizedOperation")
    run = machine.run(**QUICK)
    record_outcome(run, LOST)
    assert not finish(run)
    assert "instance.not_terminated" in caplog.text
    assert "set RUNS_FLEET_POWER_OFF_COMMAND" in caplog.text


def test_an_outage_of_ec2_is_tried_through(machine: Machine) -> None:
    machine.cloud.faults.fail("ec2", "TerminateInstances", times=3, status=503, code="Unavailable")
    run = machine.run(RUNS_FLEET_FINISH_TIMEOUT_SECONDS="30")
    record_outcome(run, LOST)
    assert finish(run)
    assert machine.cloud.terminated_instances() == [machine.cloud.instance_id]


def test_a_dry_run_never_ends_the_instance(machine: Machine) -> None:
    mark = machine.workdir / "powered-off"
    run = machine.run(RUNS_FLEET_DRY_RUN="true", RUNS_FLEET_POWER_OFF_COMMAND=f"touch '{mark}'")
    record_outcome(run, LOST)
    assert finish(run)
    assert machine.cloud.terminated_instances() == []
    assert not mark.exists()


def test_clean_up_leaves_a_directory_that_is_no_runner_alone(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.runner_dir.mkdir()
    (machine.runner_dir / "thesis.txt").write_text("years of work")
    assert clean_up(machine.run(), deadline=machine.in_seconds(5)) == 1
    assert (machine.runner_dir / "thesis.txt").exists()
    assert "it holds no runner" in caplog.text


def test_what_ec2_says_of_the_instance_is_noted_once(machine: Machine) -> None:
    run = machine.run()
    note_instance(run)
    note_instance(run)
    (noted,) = [fact for fact in run.journal.facts if isinstance(fact, InstanceKnown)]
    assert (noted.account_id, noted.instance_type) == ("123456789012", "c7i.large")
    assert noted.zone == f"{run.region}a"


def test_an_imds_that_does_not_answer_leaves_the_instance_unknown(machine: Machine) -> None:
    machine.cloud.faults.fail("imds", "*", status=503, code="no")
    run = machine.run(RUNS_FLEET_INSTANCE_ID="i-0123456789abcdef0", AWS_REGION="eu-central-1")
    note_instance(run)
    assert run.progress.instance is None


def test_the_last_flush_says_how_much_the_runner_said(machine: Machine) -> None:
    machine.cloud.write_config()
    run = machine.run()
    fetch_config(run, deadline=machine.in_seconds(5))
    run.spool.run.write_text("one\ntwo\nthree\n")
    run.follow_runner_log(run.spool.run)
    assert ship_logs(run, deadline=machine.in_seconds(10))
    flushed = run.progress.logs_flushed
    assert flushed is not None
    assert (flushed.runner_lines, flushed.runner_bytes) == (3, 14)
    assert (flushed.unsent_lines, flushed.dropped_bytes) == (0, 0)
