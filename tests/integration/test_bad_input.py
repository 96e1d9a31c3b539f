"""Bad input to the whole agent: one clear line, the right exit status, an ended instance, nothing left running."""

import signal
import subprocess
import sys
from pathlib import Path

from agent.demo.play import Play, Script
from agent.demo.promises import progress
from agent.localcloud.jit import encoded_jit_config
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.outcome import Reason
from tests.integration.conftest import Played, Run

QUICK = Scenario(time_scale=0.05)
REFUSED = {"status": 403, "code": "UnauthorizedOperation"}


def held(played: Played, what: str) -> bool:
    return any(promise.held for promise in played.promises if promise.what.startswith(what))


def said(played: Played, *words: str) -> bool:
    """Whether one line of the agent's holds all the words."""
    return any(all(word in line for word in words) for line in played.play.lines)


def test_wrong_settings_are_named_together_and_the_instance_ends(reporting_run: Run) -> None:
    wrong = {"RUNS_FLEET_RUNNER_VERSION": "newest", "RUNS_FLEET_GRACE_SECONDS": "soon"}
    played = reporting_run(Script("wrong settings", settings=wrong, reason=Reason.SETTINGS_INVALID))
    assert played.exit_status == 2
    assert said(played, "RUNS_FLEET_RUNNER_VERSION='newest'", "RUNS_FLEET_GRACE_SECONDS='soon'")
    assert held(played, "EC2: this instance was terminated")
    assert progress(played.play).runner_started is None


def test_an_agent_that_cannot_know_its_instance_says_so_and_touches_none(
    reporting_run: Run, tmp_path: Path
) -> None:
    mark = tmp_path / "powered-off"
    nowhere = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2",
        "RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'",
    }
    played = reporting_run(
        Script("no instance id", settings=nowhere, reason=Reason.SETTINGS_INVALID)
    )
    assert played.exit_status == 2
    assert said(played, "not known which instance this is", "set RUNS_FLEET_INSTANCE_ID")
    assert played.play.cloud.terminated_instances() == []
    assert mark.exists()


def test_a_config_that_is_not_json_ends_the_instance_at_once(reporting_run: Run) -> None:
    def spoil(play: Play) -> None:
        play.cloud.write_raw_config('{"run_id": "4711", "jit_token": "canary')

    played = reporting_run(Script("not JSON", prepare=spoil, reason=Reason.CONFIG_INVALID))
    played.assert_all_promises_held()
    assert said(played, "config_invalid", "is not JSON")
    assert not said(played, "canary")


def test_a_spare_that_nobody_needs_ends_at_its_deadline(reporting_run: Run) -> None:
    def take_away(play: Play) -> None:
        play.cloud.delete_parameters()

    script = Script(
        "no config",
        settings={"RUNS_FLEET_STANDBY_DEADLINE_MINUTES": "0.03"},
        prepare=take_away,
        reason=Reason.NO_CONFIG,
    )
    played = reporting_run(script)
    played.assert_all_promises_held()
    assert said(played, "did not appear within 0.03 minutes")


def test_a_jit_config_is_served_and_no_part_of_it_is_ever_shown(reporting_run: Run) -> None:
    def hand_out(play: Play) -> None:
        jit = play.cloud.encoded_jit_config()
        play.write_config(jit_token=None, jit_config=jit)

    job = Job(steps=(Step(name="env", run="env; cat /proc/$PPID/cmdline | tr '\\0' ' '"),))
    played = reporting_run(
        Script("jit", runner=Scenario(job=job, time_scale=0.05), prepare=hand_out)
    )
    played.assert_all_promises_held()
    assert len(played.play.secrets) > 4, "the parts of the JIT config were searched for too"
    assert progress(played.play).registered is not None


def test_a_jit_config_that_names_a_path_writes_nothing_and_ends_the_instance(
    reporting_run: Run,
) -> None:
    def hand_out(play: Play) -> None:
        jit = encoded_jit_config("evil", "http://127.0.0.1:9/", {"../escaped": b"{}"})
        play.write_config(jit_token=None, jit_config=jit)

    played = reporting_run(Script("evil jit", prepare=hand_out, reason=Reason.CONFIG_INVALID))
    assert held(played, "EC2: this instance was terminated")
    assert held(played, "no token in any log")
    assert said(played, "names a file with a path in it")
    assert not (played.play.workdir / "escaped").exists()


def test_a_queue_that_does_not_exist_costs_the_message_and_not_the_job(reporting_run: Run) -> None:
    def misname(play: Play) -> None:
        play.write_config(termination_queue_url=play.cloud.queue_url + "-of-somebody-else")

    played = reporting_run(Script("no queue", runner=QUICK, prepare=misname))
    assert played.exit_status == 0
    assert held(played, "EC2: this instance was terminated")
    assert held(played, "the run ended as the scenario says")
    assert said(played, "message.not_sent", "termination_queue_url")


def test_a_fifo_queue_gets_both_messages_in_order(reporting_run: Run) -> None:
    reporting_run(Script("fifo", runner=QUICK, fifo=True)).assert_all_promises_held()


def test_a_refused_terminate_call_is_followed_by_the_power_off_command(
    reporting_run: Run, tmp_path: Path
) -> None:
    def refuse(play: Play) -> None:
        play.cloud.faults.fail("ec2", "TerminateInstances", **REFUSED)  # type: ignore[arg-type]

    mark = tmp_path / "powered-off"
    command = {"RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'"}
    played = reporting_run(Script("refused", runner=QUICK, settings=command, prepare=refuse))
    assert mark.exists()
    assert said(played, "instance.not_terminated", "give the instance role")
    assert [message["status"] for message in played.play.cloud.messages()] == ["started", "success"]


def test_a_role_that_may_not_read_its_config_is_told_so(reporting_run: Run) -> None:
    def refuse(play: Play) -> None:
        play.cloud.faults.fail("ssm", "GetParameter", status=400, code="AccessDeniedException")

    played = reporting_run(Script("refused", prepare=refuse, reason=Reason.AWS_REFUSED))
    assert held(played, "EC2: this instance was terminated")
    assert said(played, "give the instance role `ssm:GetParameter`")


def test_a_second_stop_signal_does_not_cut_the_end_short(reporting_run: Run) -> None:
    def stop_twice(play: Play) -> None:
        play.wait_for("job.started")
        for _ in range(3):
            play.signal(signal.SIGTERM)
        play.wait_for("runner.gone")
        play.signal(signal.SIGTERM)

    job = Job(steps=(Step(name="long", run="sleep 60"),))
    scenario = Scenario(job=job, time_scale=0.05)
    script = Script("stopped", runner=scenario, act=stop_twice, reason=Reason.STOP_SIGNAL)
    reporting_run(script).assert_all_promises_held()


def test_a_word_that_is_no_command_is_refused_with_the_list_of_commands(reporting_run: Run) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "agent", "runn"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode == 2
    assert "run" in answer.stderr
    assert "demo" in answer.stderr
