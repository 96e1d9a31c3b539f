"""What SSM holds, or does not, as one clear error or a config."""

import threading
from typing import Any

import pytest

from agent.errors import AgentError, AwsError, ConfigError, Interrupted, NoConfig
from agent.outcome import Reason
from agent.stages.fetch_config import delete_parameters, fetch_config, poll_pause
from agent.stop import StopRequest
from tests.unit.stages.conftest import Machine

SECRET = "canary-registration-token"


def refusal(machine: Machine, *, seconds: float = 0.2, **settings: str) -> AgentError:
    run = machine.run(**settings)
    with pytest.raises(AgentError) as caught:
        fetch_config(run, deadline=machine.in_seconds(seconds))
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return caught.value


def test_a_config_that_is_there_is_read_at_once(machine: Machine) -> None:
    machine.cloud.write_config(run_id="4711")
    run = machine.run()
    config = fetch_config(run, deadline=machine.in_seconds(5))
    assert config.run_id == "4711"
    assert run.progress.config is not None
    assert run.agent_stream == f"4711/{machine.cloud.instance_id}/agent"


def test_a_config_that_comes_later_is_waited_for(machine: Machine) -> None:
    late = threading.Timer(0.5, machine.cloud.write_config)
    late.start()
    run = machine.run()
    assert fetch_config(run, deadline=machine.in_seconds(20)).run_id == "4711"
    late.join()


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, 1), (19, 1), (60, 3), (300, 15), (600, 30), (7200, 30)]
)
def test_a_spare_looks_less_often_the_longer_it_has_waited(waited: float, pause: float) -> None:
    assert poll_pause(waited, 30) == pause


def test_a_thousand_spares_stay_under_ssms_forty_calls_a_second() -> None:
    assert 1000 / poll_pause(3600, 30) < 40


def test_an_ssm_in_trouble_is_asked_four_times_less() -> None:
    assert poll_pause(40, 30, in_trouble=True) == 8
    assert poll_pause(600, 30, in_trouble=True) == 30


def test_a_config_that_never_comes_names_path_and_time(machine: Machine) -> None:
    error = refusal(machine, RUNS_FLEET_STANDBY_DEADLINE_MINUTES="0.5")
    assert isinstance(error, NoConfig)
    assert f"/runs-fleet/runners/{machine.cloud.instance_id}/config" in error.what
    assert "0.5 minutes" in error.what


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"{{ {SECRET}", "is not JSON"),
        (f'["{SECRET}"]', "not an object"),
        ("{}", "run_id"),
        (f'{{"run_id": 5, "repo": "{SECRET}"}}', "run_id"),
    ],
    ids=["not JSON", "a list", "empty", "wrong types"],
)
def test_what_is_no_config_is_refused_at_once(machine: Machine, text: str, named: str) -> None:
    machine.cloud.write_raw_config(text)
    error = refusal(machine, seconds=60)
    assert isinstance(error, ConfigError)
    assert not error.transient
    assert named in error.what


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["-x"]},
        {"labels": ["a,b"]},
        {"labels": ["a\nb"]},
        {"runner_name": "-rf"},
        {"runner_group": "a\nb"},
    ],
    ids=str,
)
def test_a_word_that_config_sh_would_misread_is_refused(
    machine: Machine, changes: dict[str, Any]
) -> None:
    machine.cloud.write_config(jit_token=SECRET, **changes)
    error = refusal(machine, seconds=60)
    assert isinstance(error, ConfigError)
    assert next(iter(changes)) in error.what


def test_a_config_without_a_credential_waits_for_the_second_parameter(machine: Machine) -> None:
    machine.cloud.write_config(jit_token=None)
    late = threading.Timer(0.5, machine.cloud.write_credential, [{"jit_token": "late"}])
    late.start()
    config = fetch_config(machine.run(), deadline=machine.in_seconds(20))
    late.join()
    assert config.jit_token is not None
    assert config.jit_token.get_secret_value() == "late"


def test_no_credential_at_all_names_both_parameters(machine: Machine) -> None:
    machine.cloud.write_config(jit_token=None)
    error = refusal(machine)
    assert isinstance(error, ConfigError)
    assert not isinstance(error, NoConfig)
    assert "/credential does not exist" in error.what


def test_of_two_credentials_the_jit_config_is_used(machine: Machine) -> None:
    machine.cloud.write_config(jit_config=machine.cloud.encoded_jit_config())
    config = fetch_config(machine.run(), deadline=machine.in_seconds(5))
    assert config.jit_config is not None
    assert len(config.secrets) == 2


def test_a_refusal_of_aws_is_final_and_names_the_permission(machine: Machine) -> None:
    machine.cloud.faults.fail("ssm", "GetParameter", status=400, code="AccessDeniedException")
    error = refusal(machine, seconds=60)
    assert error.reason is Reason.AWS_REFUSED
    assert "give the instance role `ssm:GetParameter`" in error.mend


def test_an_outage_is_waited_out(machine: Machine) -> None:
    machine.cloud.write_config()
    machine.cloud.faults.fail("ssm", "GetParameter", times=3, status=503, code="Unavailable")
    assert fetch_config(machine.run(), deadline=machine.in_seconds(30)).run_id == "4711"


def test_an_outage_up_to_the_deadline_is_not_taken_for_a_missing_config(machine: Machine) -> None:
    machine.cloud.faults.fail("ssm", "GetParameter", status=503, code="Unavailable")
    error = refusal(machine)
    assert isinstance(error, AwsError)
    assert error.reason is Reason.AWS_UNAVAILABLE


def test_credentials_that_are_refused_name_the_instance_profile(machine: Machine) -> None:
    machine.cloud.faults.fail("ssm", "GetParameter", status=400, code="UnrecognizedClientException")
    error = refusal(machine, seconds=60)
    assert error.reason is Reason.AWS_REFUSED
    assert "instance profile" in error.mend


def test_no_credentials_at_all_name_the_instance_profile(machine: Machine) -> None:
    error = refusal(machine, AWS_EC2_METADATA_DISABLED="true")
    assert "NoCredentialsError" in error.what
    assert "instance profile" in error.mend


def test_a_region_that_does_not_exist_names_the_region(machine: Machine) -> None:
    """`.invalid` never resolves (RFC 6761), as the endpoint of a region that is none does not."""
    error = refusal(machine, AWS_ENDPOINT_URL="http://ssm.eu-nowhere-7.invalid")
    assert error.transient
    assert "ssm.eu-nowhere-7.invalid" in error.what
    assert "check the region" in error.mend


def test_a_stop_ends_the_wait_with_its_own_reason(machine: Machine) -> None:
    run = machine.run()
    asked = StopRequest(Reason.STOP_SIGNAL, "the agent received SIGTERM")
    late = threading.Timer(0.3, run.stop.ask, [asked])
    late.start()
    with pytest.raises(Interrupted, match="SIGTERM"):
        fetch_config(run, deadline=machine.in_seconds(60))
    late.join()


def test_both_parameters_are_deleted_and_twice_is_fine(machine: Machine) -> None:
    machine.cloud.write_config()
    machine.cloud.write_credential({"jit_token": "x"})
    run = machine.run()
    assert delete_parameters(run)
    assert machine.cloud.parameters() == []
    assert delete_parameters(run)


def test_parameters_that_cannot_be_deleted_are_one_line_in_the_log(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.cloud.write_config()
    machine.cloud.faults.fail("ssm", "DeleteParameter", status=400, code="AccessDeniedException")
    run = machine.run()
    assert not delete_parameters(run)
    assert run.progress.parameters_deleted is None
    assert "config.not_deleted" in caplog.text


def test_a_config_that_cannot_be_used_still_says_who_waits_for_a_message(machine: Machine) -> None:
    machine.cloud.write_config(labels=["-x"])
    run = machine.run()
    with pytest.raises(ConfigError):
        fetch_config(run, deadline=machine.in_seconds(60))
    known = run.progress.config
    assert known is not None
    assert (known.run_id, known.job_id) == ("4711", "815")
    assert known.queue_url == machine.cloud.queue_url


def test_a_look_at_the_config_does_not_wait(machine: Machine) -> None:
    run = machine.run()
    run.stop.ask(StopRequest(Reason.STOP_SIGNAL, "SIGTERM"))
    with pytest.raises(NoConfig):
        fetch_config(run, deadline=machine.in_seconds(60), once=True)
    machine.cloud.write_config()
    assert fetch_config(run, deadline=machine.in_seconds(60), once=True).run_id == "4711"
