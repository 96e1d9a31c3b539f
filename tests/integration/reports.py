"""The report of a run that is over, asked for in every way."""

import json
import shutil
from datetime import datetime
from itertools import chain
from typing import Any

import pytest

from agent.report.main import report
from tests.integration.conftest import Played

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

    def told(wanted: str | None) -> dict[str, Any]:
        capsys.readouterr()
        status = report(environment, wanted, html=None, as_json=True, state_dir=play.state_dir)
        shown = capsys.readouterr()
        assert status == 0, shown.err
        return dict(json.loads(shown.out))

    journal = told(None)
    shutil.rmtree(play.state_dir)
    assert play.cloud.instance_state() == "terminated"
    return {
        "journal": journal,
        "instance id": told(play.cloud.instance_id),
        "run id": told("4711"),
    }


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
    return {*(each["what"] for each in story["moments"]), *chain(each["lane"] for each in story["spans"])}  # fmt: skip
