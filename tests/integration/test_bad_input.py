"""Bad input to the whole agent, and the walk of a new user through its refusals: one clear line, the right exit status, an ended instance."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.cli import main
from agent.demo.play import Play, Script
from agent.demo.promises import progress
from agent.localcloud.jit import encoded_jit_config
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.outcome import Reason
from tests.integration.conftest import Played, Run

QUICK = Scenario(time_scale=0.05)
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
REFUSED = {"status": 403, "code": "UnauthorizedOperation"}


def held(played: Played, what: str) -> bool:
    return any(promise.held for promise in played.promises if promise.what.startswith(what))


def said(played: Played, *words: str) -> bool:
    """Whether one line of the agent's holds all the words."""
    return any(all(word in line for word in words) for line in played.play.lines)


def test_wrong_settings_are_named_together_and_the_instance_ends(run: Run) -> None:
    wrong = {"RUNS_FLEET_RUNNER_VERSION": "newest", "RUNS_FLEET_GRACE_SECONDS": "soon"}
    played = run(Script("wrong settings", settings=wrong, reason=Reason.SETTINGS_INVALID))
    assert played.exit_status == 2
    assert said(played, "RUNS_FLEET_RUNNER_VERSION='newest'", "RUNS_FLEET_GRACE_SECONDS='soon'")
    assert held(played, "EC2: this instance was terminated")
    assert progress(played.play).runner_started is None


def test_an_agent_that_cannot_know_its_instance_says_so_and_touches_none(
    run: Run, tmp_path: Path
) -> None:
    mark = tmp_path / "powered-off"
    nowhere = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2",
        "RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'",
    }
    played = run(Script("no instance id", settings=nowhere, reason=Reason.SETTINGS_INVALID))
    assert played.exit_status == 2
    assert said(played, "not known which instance this is", "set RUNS_FLEET_INSTANCE_ID")
    assert played.play.cloud.terminated_instances() == []
    assert mark.exists()


def test_a_config_that_is_not_json_ends_the_instance_at_once(run: Run) -> None:
    def spoil(play: Play) -> None:
        play.cloud.write_raw_config('{"run_id": "4711", "jit_token": "canary')

    played = run(Script("not JSON", prepare=spoil, reason=Reason.CONFIG_INVALID))
    played.assert_all_promises_held()
    assert said(played, "config_invalid", "is not JSON")
    assert not said(played, "canary")


def test_a_spare_that_nobody_needs_ends_at_its_deadline(run: Run) -> None:
    def take_away(play: Play) -> None:
        play.cloud.delete_parameters()

    script = Script(
        "no config",
        settings={"RUNS_FLEET_STANDBY_DEADLINE_MINUTES": "0.03"},
        prepare=take_away,
        reason=Reason.NO_CONFIG,
    )
    played = run(script)
    played.assert_all_promises_held()
    assert said(played, "did not appear within 0.03 minutes")


def test_a_jit_config_is_served_and_no_part_of_it_is_ever_shown(run: Run) -> None:
    def hand_out(play: Play) -> None:
        jit = play.cloud.encoded_jit_config()
        play.write_config(jit_token=None, jit_config=jit)

    job = Job(steps=(Step(name="env", run="env; cat /proc/$PPID/cmdline | tr '\\0' ' '"),))
    played = run(Script("jit", runner=Scenario(job=job, time_scale=0.05), prepare=hand_out))
    played.assert_all_promises_held()
    assert len(played.play.secrets) > 4, "the parts of the JIT config were searched for too"
    assert progress(played.play).registered is not None


def test_a_jit_config_that_names_a_path_writes_nothing_and_ends_the_instance(
    run: Run,
) -> None:
    def hand_out(play: Play) -> None:
        jit = encoded_jit_config("evil", "http://127.0.0.1:9/", {"../escaped": b"{}"})
        play.write_config(jit_token=None, jit_config=jit)

    played = run(Script("evil jit", prepare=hand_out, reason=Reason.CONFIG_INVALID))
    assert held(played, "EC2: this instance was terminated")
    assert held(played, "no token in any log")
    assert said(played, "names a file with a path in it")
    assert not (played.play.workdir / "escaped").exists()


def test_a_queue_that_does_not_exist_costs_the_message_and_not_the_job(run: Run) -> None:
    def misname(play: Play) -> None:
        play.write_config(termination_queue_url=play.cloud.queue_url + "-of-somebody-else")

    played = run(Script("no queue", runner=QUICK, prepare=misname))
    assert played.exit_status == 0
    assert held(played, "EC2: this instance was terminated")
    assert held(played, "the run ended as the scenario says")
    assert said(played, "message.not_sent", "termination_queue_url")


def test_a_fifo_queue_gets_both_messages_in_order(run: Run) -> None:
    run(Script("fifo", runner=QUICK, fifo=True)).assert_all_promises_held()


def test_a_refused_terminate_call_is_followed_by_the_power_off_command(
    run: Run, tmp_path: Path
) -> None:
    def refuse(play: Play) -> None:
        play.cloud.faults.fail("ec2", "TerminateInstances", **REFUSED)  # type: ignore[arg-type]

    mark = tmp_path / "powered-off"
    command = {"RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'"}
    played = run(Script("refused", runner=QUICK, settings=command, prepare=refuse))
    assert mark.exists()
    assert said(played, "instance.not_terminated", "give the instance role")
    assert [message["status"] for message in played.play.cloud.messages()] == ["started", "success"]


def test_a_role_that_may_not_read_its_config_is_told_so(run: Run) -> None:
    def refuse(play: Play) -> None:
        play.cloud.faults.fail("ssm", "GetParameter", status=400, code="AccessDeniedException")

    played = run(Script("refused", prepare=refuse, reason=Reason.AWS_REFUSED))
    assert held(played, "EC2: this instance was terminated")
    assert said(played, "give the instance role `ssm:GetParameter`")


def test_a_second_stop_signal_does_not_cut_the_end_short(run: Run) -> None:
    def stop_twice(play: Play) -> None:
        play.wait_for("job.started")
        for _ in range(3):
            play.signal(signal.SIGTERM)
        play.wait_for("runner.gone")
        play.signal(signal.SIGTERM)

    job = Job(steps=(Step(name="long", run="sleep 60"),))
    scenario = Scenario(job=job, time_scale=0.05)
    script = Script("stopped", runner=scenario, act=stop_twice, reason=Reason.STOP_SIGNAL)
    run(script).assert_all_promises_held()


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, str], int, tuple[str, ...]]] = {
    # what a new user does: the arguments, the environment, the exit status, what the one line holds
    "no command": ((), {}, 2, ("COMMAND", "see `runs-fleet-agent --help`")),
    "no such command": (("runn",), {}, 2, ("'runn'", "'run'", "'demo'", "--help")),
    "no such option": (("run", "--fast"), {}, 2, ("--fast", "--help")),
    "an option without its value": (("demo", "--scenario"), {}, 2, ("--scenario", "demo --help")),
    "no such scenario": (("demo", "--scenario", "x"), {}, 2, ("--scenario x", "spot-notice")),
    "no such user": (("demo", "--runner-user", "no-one"), {}, 2, ("'no-one'", "useradd")),
    "a stand-in that is none": (
        ("demo", "--aws-endpoint", "localhost:1"),
        {},
        2,
        ("localhost:1", "give a URL"),
    ),
    "no such file": (("doctor", "--environment-file", "/no/x"), {}, 1, ("/no/x", "name a file")),
    "no run to read": (("logs",), {}, 1, ("no run is known", "logs RUN_ID")),
    "nothing was shipped": (
        ("logs", "1"),
        {"RUNS_FLEET_LOG_GROUP": ""},
        1,
        ("RUNS_FLEET_LOG_GROUP", "name the log group"),
    ),
    "no region": (("logs", "1"), {}, 1, ("specify a region", "set AWS_REGION")),
    "nobody answers": (
        ("logs", "1"),
        {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        1,
        ("logs:FilterLogEvents", "127.0.0.1:9", "check the region"),
    ),
    "a wrong setting": (
        ("logs", "1"),
        {"AWS_REGION": "Frankfurt"},
        1,
        ("AWS_REGION='Frankfurt'", "such as eu-central-1", "agent.env"),
    ),
    "no instance": (("end",), {}, 1, ("which instance", "IMDS", "RUNS_FLEET_INSTANCE_ID", "demo")),
    "no region to end it in": (
        ("end",),
        {"RUNS_FLEET_INSTANCE_ID": "i-0123456789abcdef0"},
        1,
        ("which AWS region", "AWS_REGION"),
    ),
    "a journal that is none": (
        ("status",),
        {"RUNS_FLEET_STATE_DIR": "STATE/journal-is-a-folder"},
        1,
        ("journal.jsonl", "as root"),
    ),
}
NOWHERE = {
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": "/dev/null",
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_one_line_on_stderr_that_names_what_where_and_the_mend(
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, environment, wanted, words = REFUSALS[what]
    (tmp_path / "journal-is-a-folder/journal.jsonl").mkdir(parents=True)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"RUNS_FLEET_STATE_DIR": "STATE", **NOWHERE, **environment}.items():
        monkeypatch.setenv(name, value.replace("STATE", str(tmp_path)))
    assert exit_status(arguments) == wanted
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("runs-fleet-agent: ")
    assert [word for word in words if word not in line] == []
    assert said.out == ""


def exit_status(arguments: Sequence[str]) -> int:
    handlers = {number: signal.getsignal(number) for number in STOPS}
    try:
        return main(arguments)
    except SystemExit as exc:
        return int(str(exc.code))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_demo_without_its_stand_ins_says_how_to_get_them() -> None:
    lacking = "import sys; sys.modules['moto'] = None; from agent.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run(
        [sys.executable, "-c", lacking], capture_output=True, text=True, timeout=60, check=False
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "moto" in line
    assert "install runs-fleet-agent[demo]" in line


def test_status_says_where_it_looked_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNS_FLEET_STATE_DIR", str(tmp_path))
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "journal.jsonl") in said
    assert "RUNS_FLEET_STATE_DIR" in said
