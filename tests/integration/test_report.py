"""What is told of a run that is over: in Prefect's record, and by the report, asked for in every way."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest

from agent.demo.play import Play, Script
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.report.main import report
from tests.integration.conftest import Played, Run

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
EXACT = (
    "instance_id", "run_id", "job_id", "repo", "runner_name", "region", "zone", "account_id",
    "instance_type", "agent_version", "runner_version", "log_group", "ending", "job_name",
    "job_result", "phases", "figures", "owed", "streams", "runner_said",
)  # fmt: skip
APART_SECONDS = 0.25
"""Between a fact in the journal and the line that says so."""


def told_in_every_way(
    played: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, dict[str, Any]]:
    """From the journal, then with the machine's disk gone from CloudWatch, by instance id and by run id."""
    play = played.play
    environment = play.environment()
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    environment.setdefault("AWS_REGION", play.cloud.region)

    def told(wanted: str) -> dict[str, Any]:
        capsys.readouterr()
        status = report(environment, wanted, html=None, as_json=True, state_dir=play.state_dir)
        shown = capsys.readouterr()
        assert status == 0, shown.err
        return dict(json.loads(shown.out))

    journal = dict(json.loads(typed("report", "--json", environment=environment)))
    shutil.rmtree(play.state_dir)
    assert play.cloud.instance_state() == "terminated"
    return {
        "journal": journal,
        "instance id": told(play.cloud.instance_id),
        "run id": told("4711"),
    }


def typed(*words: str, environment: dict[str, str]) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "agent", *words]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_the_same_story(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Every word the same; moments and spans the same, but for the time that writing a line takes."""
    for name in EXACT:
        assert one[name] == other[name], name
    for name in ("moments", "spans"):
        there, here = ({(each["what"], each.get("detail")): each for each in story[name]} for story in (one, other))  # fmt: skip
        assert set(there) == set(here), name
        for what, each in there.items():
            pairs = [(each[key], here[what][key]) for key in ("at", "began", "ended") if key in each]  # fmt: skip
            assert all(_apart(*pair) < APART_SECONDS for pair in pairs), (what, pairs)
    times = ((one[name], other[name]) for name in ("began", "over", "ended_at", "run_sh_at"))
    assert all(_apart(*pair) < APART_SECONDS for pair in times)


def _apart(one: str, other: str) -> float:
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def names(story: dict[str, Any]) -> set[str]:
    """What happened, and the lanes of what took time."""
    return {each["what"] for each in story["moments"]} | {each["lane"] for each in story["spans"]}


def rows(play: Play, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(play.state_dir / "prefect" / "prefect.db")) as database:
        return database.execute(query).fetchall()


def test_a_run_is_recorded_and_its_report_is_the_same_from_every_side(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = run(
        Script(
            "recorded",
            runner=Scenario(job=Job(steps=(Step(name="step", run="sleep 2"),)), time_scale=0.05),
        )
    )
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
