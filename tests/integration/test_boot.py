"""What happens beside Prefect's start, and that the flow run tells the truth about it."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.demo.play import Play, Script
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.faults.strike import processes
from tests.integration.conftest import Run
from tests.integration.outages import moment, seconds
from tests.integration.reports import assert_the_same_story, names, told_in_every_way

TASKS = {
    "fetch config",
    "download runner",
    "verify runner",
    "register runs-fleet-runner",
    "execute on",
    "notify started",
    "notify final",
    "delete config",
    "clean up",
    "terminate i",
}


def job() -> Scenario:
    return Scenario(job=Job(steps=(Step(name="step", run="echo served"),)), time_scale=0.05)


def rows(play: Play, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(play.state_dir / "prefect" / "prefect.db")) as database:
        return database.execute(query).fetchall()


def prefetching(play: Play) -> int:
    """The pid of the process beside the flow: its child, by its parent's command line."""
    (pid,) = [
        pid
        for pid in processes(play, "flow")
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        in map(str, processes(play, "flow"))
    ]
    return pid


def test_a_run_is_recorded_and_its_report_is_the_same_from_every_side(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = run(Script("recorded", runner=job()))
    played.assert_all_promises_held()
    play = played.play
    ((name, state, began),) = rows(play, "SELECT name, state_type, start_time FROM flow_run")
    assert (name, state) == (f"job on {play.cloud.instance_id}", "COMPLETED")
    tasks = rows(play, "SELECT name, state_type FROM task_run")
    assert {state for _, state in tasks} == {"COMPLETED"}
    assert all(any(task.startswith(wanted) for task, _ in tasks) for wanted in TASKS)
    shown = {key: rest for key, *rest in rows(play, "SELECT key, data, description FROM artifact")}
    assert list(shown) == ["download", "boot-phases", "report"]
    per_cent, said = shown["download"]
    assert per_cent == 100
    source, _, times = said.partition(" in its place and verified from ")
    assert source.startswith("runner 2.336.0 from GitHub: ")
    # The download had begun before Prefect was there.
    assert times.split()[0] < began.split()[1]
    phases = json.loads(json.loads(shown["boot-phases"][0]))
    assert {"config", "runner", "register", "in all"} <= {phase["phase"] for phase in phases}
    told = json.loads(shown["report"][0])
    assert told.startswith(f"# {play.cloud.instance_id}: job_served\n")
    assert "| instance terminating " in told
    stories = told_in_every_way(played, monkeypatch, capsys)
    assert {"agent started", "job started", "instance terminating", "download"} <= names(
        stories["journal"]
    )
    assert stories["journal"]["ending"]["reason"] == "job_served"
    assert_the_same_story(stories["journal"], stories["instance id"])
    assert_the_same_story(stories["instance id"], stories["run id"])


def test_the_runner_and_the_config_are_fetched_while_prefect_starts(run: Run) -> None:
    played = run(Script("beside", runner=job()))
    played.assert_all_promises_held()
    play = played.play
    assert moment(play.wait_for("runner.downloaded")) < moment(play.wait_for("config.fetched"))
    assert seconds(play, "runner.prefetched", "runner.verified") < 1
    assert len([line for line in play.lines if "runner.downloaded" in line]) == 1
    reads = [call for call in play.cloud.aws.calls if call.operation == "GetParameter"]
    assert len(reads) <= 2, "the prefetch read it once, and nobody again"


def test_a_prefetch_that_dies_is_made_up_for(run: Run) -> None:
    def kill(play: Play) -> None:
        play.cloud.faults.hang("s3", "*", seconds=600)
        play.wait_for("run.began")
        os.kill(prefetching(play), signal.SIGKILL)
        play.cloud.faults.clear()

    played = run(Script("killed", runner=job(), act=kill))
    played.assert_all_promises_held()
    assert not any("runner.prefetched" in line for line in played.play.lines)
