"""One story a test: what is special about it, after every promise was seen to hold."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from agent.demo.play import Play, Script
from agent.demo.promises import progress, runner_stream_lines
from agent.localcloud.cloud import BUCKET
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.outcome import Reason
from agent.stages.metrics import METRICS
from tests.integration.conftest import Played, Run

ROOT = Path(__file__).parents[2]
QUICK = 0.1


def job(script: str, name: str = "build") -> Scenario:
    return Scenario(job=Job(name=name, steps=(Step(name="step", run=script),)), time_scale=QUICK)


def kill_the_flow(play: Play) -> None:
    play.wait_for("job.started")
    children = Path(f"/proc/{play.process.pid}/task/{play.process.pid}/children").read_text()
    flow = next(
        int(pid)
        for pid in children.split()
        if b"flows" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(flow, signal.SIGKILL)


def test_a_simple_workflow_is_served_from_download_to_termination(run: Run, tmp_path: Path) -> None:
    """One run, looked at from every side: each other side would cost a run of its own."""
    mark = tmp_path / "hello"
    steps = (
        f'echo "hello from $RUNNER_NAME" | tee {mark}; for i in $(seq 3000); do echo step $i; done'
    )
    config = {"runner_logs_bucket": BUCKET, "runner_logs_prefix": "diag"}
    played = run(Script("hello", runner=job(steps), config=config))
    played.assert_all_promises_held()
    assert mark.read_text() == f"hello from runs-fleet-runner-{played.play.cloud.instance_id}\n"
    github_saw_a_runner_and_a_green_job(played)
    the_archive_is_in_the_cache(played)
    the_steps_lines_are_there_once_and_in_order_although_the_runner_deletes_its_pages(played)
    assert not any("memory.low" in line for line in played.play.lines), "a false alarm"
    diag_is_in_s3(played)
    the_metrics_are_in_the_agent_stream(played)
    nothing_is_owed_and_end_and_status_can_be_called_again(played)


def github_saw_a_runner_and_a_green_job(played: Played) -> None:
    github = played.play.cloud.github
    assert [runner.labels for runner in github.runners] == [("self-hosted", "linux", "runs-fleet")]
    assert [each["conclusion"] for each in github.conclusions] == ["success"]
    assert played.final["job_result"] == "succeeded"


def the_archive_is_in_the_cache(played: Played) -> None:
    (cached,) = played.play.cloud.cached_archives().values()
    assert cached == (played.play.archive.size, {"sha256": played.play.archive.sha256})


def the_steps_lines_are_there_once_and_in_order_although_the_runner_deletes_its_pages(
    played: Played,
) -> None:
    cloud = played.play.cloud
    assert {name.rpartition("/")[2] for name in cloud.log_streams()} == {"agent", "runner"}
    lines = cloud.log_lines(f"4711/{cloud.instance_id}/runner")
    assert any("Listening for Jobs" in line for line in lines)
    assert any(line.startswith("[_diag/Worker_") for line in lines)
    assert any(line.startswith("[_diag/pages/") and "hello from" in line for line in lines)
    step = re.compile(r"\[_diag/pages/\S+\] \S+Z step (\d+)$")
    numbers = [int(found[1]) for line in lines if (found := step.match(line))]
    assert numbers == list(range(1, 3001))


def diag_is_in_s3(played: Played) -> None:
    found = played.play.cloud.stored(f"diag/4711/{played.play.cloud.instance_id}/")
    kinds = {key.rpartition("/")[2].partition("_")[0] for key in found}
    assert kinds == {"Runner", "Worker"}
    assert all(gzip.decompress(body) for body in found.values())
    assert played.final["log_upload"] == "uploaded"


def the_metrics_are_in_the_agent_stream(played: Played) -> None:
    cloud = played.play.cloud
    lines = cloud.log_lines(f"4711/{cloud.instance_id}/agent")
    (metrics,) = [json.loads(line) for line in lines if line.startswith('{"_aws":')]
    named = metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert {each["Name"] for each in named} == set(METRICS)
    assert all(isinstance(metrics[each["Name"]], int | float) for each in named)
    assert (metrics["Reason"], metrics["RunnerSource"]) == ("job_served", "github")
    assert metrics["JobSeconds"] > 0
    assert metrics["LogLinesUnsent"] == 0


def nothing_is_owed_and_end_and_status_can_be_called_again(played: Played) -> None:
    assert progress(played.play).owed() == ()
    environment = played.play.environment()

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agent", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert call("end").returncode == 0
    assert call("end").returncode == 0
    assert len(played.play.cloud.messages()) == 2
    assert played.play.cloud.terminated_instances() == [played.play.cloud.instance_id]
    text = call("status")
    assert text.returncode == 0
    assert "job_served" in text.stdout
    assert "the instance was ended" in text.stdout
    assert '"owed": []' in call("status", "--json").stdout


def test_a_red_job_is_a_success_of_the_runner_and_cannot_forge_its_result(run: Run) -> None:
    forged = (
        "2026-11-23 07:43:02Z: Job other completed with result: Succeeded",
        "2026-11-23 07:43:02Z: Job build completed with result: Succeeded",
    )
    scenario = job("exit 3").model_copy(update={"forged_lines": forged})
    played = run(Script("red", runner=scenario))
    played.assert_all_promises_held()
    assert (played.final["status"], played.final["job_result"]) == ("success", "failed")


def test_thousands_of_lines_arrive_once_and_in_order(run: Run) -> None:
    scenario = Scenario(output_lines=5000, stderr_lines=5000, time_scale=QUICK)
    played = run(Script("loud", runner=scenario))
    played.assert_all_promises_held()
    numbers = [
        int(found[1])
        for line in runner_stream_lines(played.play)
        if (found := re.match(r"line (\d+) of", line))
    ]
    assert numbers == list(range(5000))


def test_a_flow_that_is_killed_in_mid_job_is_started_again_and_the_job_notices_nothing(
    run: Run,
) -> None:
    script = Script("crash", runner=job("for i in $(seq 40); do echo tick $i; sleep 0.1; done"), act=kill_the_flow)  # fmt: skip
    played = run(script)
    played.assert_all_promises_held()
    assert played.final["job_result"] == "succeeded"
    assert played.play.wait_for("runner.taken_over")
    assert progress(played.play).owed() == ()


def test_sigterm_while_prefect_starts_ends_the_instance(run: Run) -> None:
    def stop_early(play: Play) -> None:
        play.wait_for("run.began")
        play.signal(signal.SIGTERM)

    played = run(Script("early", act=stop_early, reason=Reason.STOP_SIGNAL))
    held = {promise.what for promise in played.promises if promise.held}
    assert "EC2: this instance was terminated, and no other" in held
    assert progress(played.play).runner_started is None


def test_a_stubborn_worker_is_killed_after_the_grace_period(run: Run) -> None:
    def stop(play: Play) -> None:
        play.wait_for("job.started")
        play.signal(signal.SIGTERM)

    scenario = job("sleep 300").model_copy(update={"worker": "stubborn"})
    script = Script(
        "stubborn",
        runner=scenario,
        settings={"RUNS_FLEET_GRACE_SECONDS": "2"},
        act=stop,
        reason=Reason.STOP_SIGNAL,
    )
    run(script).assert_all_promises_held()


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        ("session_conflict", Reason.SESSION_CONFLICT),
        ("deprecated", Reason.RUNNER_DEPRECATED),
        ("no_finish_line", Reason.RUNNER_LOST),
        ("retryable_loop", Reason.RUNNER_RESTART_LOOP),
        ("registration_deleted", Reason.RUNNER_TERMINATED),
    ],
)
def test_a_runner_s_own_end_has_its_outcome_class(listener: str, reason: Reason, run: Run) -> None:
    scenario = Scenario.model_validate({"listener": listener, "time_scale": 0.01})
    run(Script(listener, runner=scenario, reason=reason)).assert_all_promises_held()


def test_a_central_server_that_is_not_there_is_left_out(run: Run) -> None:
    """Port 9 (discard) refuses on loopback."""
    script = Script(
        "no server", runner=job("true"), settings={"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    )
    played = run(script)
    played.assert_all_promises_held()
    assert played.play.wait_for("prefect.server_unreachable")


def test_the_locked_versions_are_the_ones_under_test() -> None:
    """Prefect and FastAPI break each other easily; every run above started the ephemeral server with these."""
    locked = dict(
        re.findall(
            r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE
        )
    )
    for name in ("prefect", "prefect-aws", "fastapi", "starlette", "pydantic", "boto3"):
        assert version(name) == locked[name]
