"""Whole outages around the agent: the job is served, and the instance ends in time, by whatever way is left."""

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from agent.demo.play import Play, Script
from agent.demo.promises import progress, runner_stream_lines, said_by_the_runner
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.central_prefect import CentralPrefect
from tests.faults.strike import processes, runners
from tests.integration.conftest import Played, Run
from tests.integration.outages import (
    ALL_OF_AWS,
    Exit,
    HangingPrefect,
    black_hole,
    message_in,
    seconds,
)

NOISE = 2.0
"""What a busy machine may add to a bound, in seconds."""


def job(script: str = "for i in $(seq 30); do echo tick $i; sleep 0.1; done") -> Scenario:
    """Three seconds long where nothing else is said."""
    return Scenario(job=Job(steps=(Step(name="step", run=script),)), time_scale=0.05)


def not_held(played: Played) -> list[str]:
    return [promise.what for promise in played.broken]


def test_without_any_aws_the_machine_is_powered_off_in_time(run: Run, tmp_path: Path) -> None:
    def cut_off(play: Play) -> None:
        play.wait_for("job.started")
        black_hole(play, *ALL_OF_AWS)

    mark = tmp_path / "powered-off"
    settings = {
        "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": "12",
        "RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{mark}'",
    }
    played = run(Script("no AWS", runner=job(), settings=settings, act=cut_off))
    play = played.play
    assert mark.exists()
    assert seconds(play, "run.ended", "instance.power_off") <= 12 + 5
    assert runners(play) == []
    ended, terminated = progress(play).ended, progress(play).terminated
    assert ended is not None
    assert (ended.reason, ended.job_result) == ("job_served", "succeeded")
    assert terminated is not None
    assert terminated.how == "power_off"
    assert said_by_the_runner(play)
    assert played.exit_status == 0


def test_without_cloudwatch_the_spool_keeps_every_line_and_nothing_else_changes(run: Run) -> None:
    def cut_off(play: Play) -> None:
        black_hole(play, "logs")

    finish_seconds = 15
    played = run(
        Script(
            "no logs",
            runner=job().model_copy(update={"output_lines": 500}),
            settings={"RUNS_FLEET_FINISH_TIMEOUT_SECONDS": str(finish_seconds)},
            prepare=cut_off,
        )
    )
    assert all(what.startswith("CloudWatch") for what in not_held(played)), not_held(played)
    play = played.play
    assert runner_stream_lines(play) == []
    lines = said_by_the_runner(play)
    numbered = [line for line in lines if line.endswith("of the listener")]
    assert numbered == [f"line {number:06d} of the listener" for number in range(500)]
    assert any("Listening for Jobs" in line for line in lines)
    assert any("completed with result: Succeeded" in line for line in lines)
    assert seconds(play, "run.ended", "instance.terminating") <= finish_seconds + NOISE


def test_a_final_message_that_sqs_refuses_stands_in_the_log(run: Run) -> None:
    def refuse(play: Play) -> None:
        play.wait_for("message.sent status=started")
        play.cloud.faults.fail("sqs", "SendMessage", status=403, code="AccessDenied")

    played = run(Script("no queue", runner=job(), act=refuse))
    cloud = played.play.cloud
    assert not_held(played) == ["SQS: started and success"]
    assert [message["status"] for message in cloud.messages()] == ["started"]
    unsent = message_in(cloud.log_lines(f"4711/{cloud.instance_id}/agent"))
    assert unsent["instance_id"] == cloud.instance_id
    assert (unsent["status"], unsent["job_id"], unsent["job_result"]) == (
        "success",
        "815",
        "succeeded",
    )


def test_prefect_s_own_server_may_die_in_mid_job_where_it_is_a_process(run: Run) -> None:
    exit_ = Exit()

    def kill(play: Play) -> None:
        play.wait_for("job.started")
        (server,) = processes(play, "api")
        os.kill(server, signal.SIGKILL)
        exit_.watch(play)

    settings = {"RUNS_FLEET_STOCK_PREFECT": "true"}
    played = run(Script("no API", runner=job(), settings=settings, act=kill))
    played.assert_all_promises_held()
    assert exit_.seconds_after(played.play.wait_for("instance.terminating")) <= 15


NO_MEMORY = """
import sys
from pathlib import Path

class Once:
    def find_spec(self, name, path=None, target=None):
        mark = Path(__file__).with_name("was-here")
        if name == "flows.orchestration" and not mark.exists():
            mark.touch()
            raise MemoryError

sys.meta_path.insert(0, Once())
"""


def test_a_flow_that_cannot_even_begin_is_started_again(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "first-life"
    place.mkdir()
    (place / "sitecustomize.py").write_text(NO_MEMORY)
    played = run(Script("no memory", runner=job("true"), settings={"PYTHONPATH": str(place)}))
    played.assert_all_promises_held()
    assert "MemoryError" in played.play.wait_for("flow.not_begun")
    assert played.play.wait_for("run.taken_up_again")


def test_prefect_s_own_server_that_can_never_start_costs_no_job(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "prefect"
    home.mkdir()
    (home / "prefect.db").write_bytes(b"this was a database once" * 1000)
    played = run(Script("no database", runner=job(), settings={"PREFECT_HOME": str(home)}))
    played.assert_all_promises_held()
    assert "did not come up" in played.play.wait_for("prefect.given_up")
    assert seconds(played.play, "run.began", "prefect.given_up") <= 30


def test_a_central_server_that_hangs_is_left_out_within_seconds(run: Run) -> None:
    with HangingPrefect() as server:
        played = run(Script("hangs", runner=job(), settings={"PREFECT_API_URL": server.url}))
        assert len(set(server.asked)) > 1, "Prefect asked it for more than its health"
    played.assert_all_promises_held()


def test_a_central_server_may_die_in_mid_job(
    run: Run, tmp_path: Path, migrated_prefect_home: Path
) -> None:
    home = tmp_path / "central" / "prefect"
    shutil.copytree(migrated_prefect_home, home)
    with CentralPrefect(home) as server:

        def kill(play: Play) -> None:
            play.wait_for("job.started")
            assert processes(play, "api") == []
            server.kill()

        settings = {"PREFECT_API_URL": server.url, "PREFECT_LOGGING_TO_API_ENABLED": "true"}
        played = run(Script("no centre", runner=job(), settings=settings, act=kill))
    played.assert_all_promises_held()
    assert played.exit_status == 0
    assert seconds(played.play, "run.ended", "instance.terminate ") <= 10
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        assert database.execute("select count(*) from flow_run").fetchone() == (1,)
