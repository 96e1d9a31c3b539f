"""`report` against CloudWatch over real HTTP, and from a journal."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.journal import facts
from agent.localcloud.aws import AwsServer
from agent.report import cloudwatch
from agent.report.cloudwatch import evidence
from agent.report.main import report
from tests.fakes_logs import refusal
from tests.unit.report.told import INSTANCE, journal, said

GROUP = "/runs-fleet/agent"
OTHER = "i-0fedcba9876543210"
NOW = int(datetime.now(UTC).timestamp() * 1000) - 60_000


class Logs:
    """A CloudWatch with what agents said."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self.client = boto3.client("logs")
        self.client.create_log_group(logGroupName=GROUP)

    def say(self, stream: str, texts: list[str]) -> None:
        self.client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        events = [{"timestamp": NOW + n, "message": text} for n, text in enumerate(texts)]
        self.client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    server = AwsServer()
    server.start()
    logs = Logs(server.url, monkeypatch)
    yield logs
    logs.client.delete_log_group(logGroupName=GROUP)
    server.stop()


def told(
    capsys: pytest.CaptureFixture[str], environment: dict[str, str], wanted: str | None, at: Path
) -> list[dict[str, Any]]:
    """What `report --json` prints, as objects."""
    assert report(environment, wanted, html=None, as_json=True, state_dir=at) == 0
    text = capsys.readouterr().out
    return [json.loads(each + "}") for each in text.removesuffix("}\n").split("\n}\n")]


def refused(
    capsys: pytest.CaptureFixture[str], environment: dict[str, str], wanted: str | None, at: Path
) -> str:
    """The one line on stderr."""
    assert report(environment, wanted, html=None, as_json=False, state_dir=at) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


def test_a_run_is_found_by_its_id_and_by_its_instance(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.say(f"4711/{INSTANCE}/agent", said())
    logs.say(f"4711/{INSTANCE}/runner", ["[_diag/Runner.log] x", "Exiting runner..."])
    logs.say(f"47110/{OTHER}/agent", said())
    (by_run,) = told(capsys, logs.environment, "4711", tmp_path)
    (by_instance,) = told(capsys, logs.environment, INSTANCE, tmp_path)
    assert by_run == by_instance
    assert by_run["ending"]["reason"] == "job_served"
    assert by_run["account_id"] == "123456789012"
    assert by_run["runner_said"] == ["Exiting runner..."]
    assert by_run["began"] == "2026-11-23T07:42:18.000Z"


def test_what_was_said_before_the_run_id_was_known_belongs_to_the_story(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.say(f"boot/{INSTANCE}/agent", said()[:2])
    logs.say(f"4711/{INSTANCE}/agent", said()[2:])
    for wanted in ("4711", INSTANCE):
        (one,) = told(capsys, logs.environment, wanted, tmp_path)
        assert one["moments"][0]["what"] == "agent started"
        assert one["over"] == "2026-11-23T07:42:38.500Z"


def test_a_spare_that_never_got_a_run_is_told_from_its_boot_stream(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = "2026-11-23T09:42:20.000Z INFO agent.x run.ended reason=no_config status=failure exit_code=-1"  # fmt: skip
    logs.say(f"boot/{INSTANCE}/agent", [said()[0], ended, said()[-2], said()[-1]])
    (one,) = told(capsys, logs.environment, INSTANCE, tmp_path)
    assert (one["ending"]["reason"], one["run_id"], one["job_result"]) == ("no_config", "", "")


def test_every_instance_of_a_run_is_told(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.say(f"4711/{INSTANCE}/agent", said())
    logs.say(f"4711/{OTHER}/agent", [line.replace(INSTANCE, OTHER).replace("T07:", "T06:") for line in said()])  # fmt: skip
    both = told(capsys, logs.environment, "4711", tmp_path)
    assert [each["instance_id"] for each in both] == [OTHER, INSTANCE]
    assert report(logs.environment, "4711", html="-", as_json=False, state_dir=tmp_path) == 0
    assert capsys.readouterr().out.count("<article>") == 2


def test_an_instance_is_looked_for_up_to_a_bound(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.say(f"4711/{OTHER}/agent", said())
    line = refused(capsys, logs.environment, INSTANCE, tmp_path)
    assert f"no stream of instance {INSTANCE} in {GROUP} in eu-central-1" in line
    assert "or give the run id" in line


class Endless:
    """A group with more streams than anybody looks through."""

    asked = 0

    def describe_log_streams(self, **kwargs: Any) -> dict[str, Any]:
        if "logStreamNamePrefix" in kwargs:
            return {"logStreams": []}
        self.asked += 1
        return {"logStreams": [{"logStreamName": f"1/{OTHER}/agent"}], "nextToken": "more"}

    def filter_log_events(self, **kwargs: Any) -> dict[str, Any]:
        raise AssertionError(kwargs)

    get_log_events = filter_log_events


def test_a_group_of_a_hundred_thousand_streams_is_not_read_whole() -> None:
    endless = Endless()
    with pytest.raises(Exception, match="among the 10,000 newest"):
        evidence(endless, GROUP, INSTANCE)
    assert endless.asked == cloudwatch.PAGES


class Refusing(Endless):
    def describe_log_streams(self, **kwargs: Any) -> dict[str, Any]:
        raise refusal("AccessDeniedException")


def test_a_refusal_names_the_call_and_the_group() -> None:
    with pytest.raises(Exception, match=r"logs:DescribeLogStreams.*/runs-fleet/agent"):
        evidence(Refusing(), GROUP, "4711")


def test_unusable_calls_are_one_line_with_a_mend(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = logs.environment
    assert "no run is known on this machine" in refused(capsys, environment, None, tmp_path)
    assert "no stream of run 4711" in refused(capsys, environment, "4711", tmp_path)
    off = {**environment, "RUNS_FLEET_LOG_GROUP": ""}
    assert "RUNS_FLEET_LOG_GROUP is empty" in refused(capsys, off, "4711", tmp_path)
    elsewhere = {**environment, "RUNS_FLEET_LOG_GROUP": "/nowhere"}
    assert "/nowhere" in refused(capsys, elsewhere, "4711", tmp_path)
    logs.say(f"4711/{INSTANCE}/agent", said()[3:])
    assert "does not say that a run began" in refused(capsys, environment, "4711", tmp_path)


def test_a_journal_that_may_not_be_read_is_not_taken_for_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    line = refused(capsys, {}, None, tmp_path)
    assert f"{tmp_path}/journal.jsonl cannot be read: Is a directory" in line


def test_without_a_region_it_is_said_how_to_set_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Port 9 (discard) refuses on loopback."""
    nowhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    assert "set AWS_REGION" in refused(capsys, nowhere, "4711", tmp_path)


def test_the_page_is_written_to_a_file_or_its_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"".join(map(facts.to_line, journal())))
    file = tmp_path / "page.html"
    assert report({}, None, html=str(file), as_json=False, state_dir=tmp_path) == 0
    assert file.read_text().startswith("<!DOCTYPE html>")
    bad = tmp_path / "no" / "page.html"
    assert report({}, None, html=str(bad), as_json=False, state_dir=tmp_path) == 1
    assert f"{bad} cannot be written: No such file or directory" in capsys.readouterr().err
