"""What a flow run shows, through our own API and where there is none."""

import json
from typing import Any

from tests.unit.flows.artifacts_of_a_run import SECRET


def test_the_download_is_shown_while_it_goes_on(said: dict[str, Any]) -> None:
    (kind, first, text), (_, second, _) = said["artifacts"]["along"]
    assert (kind, first) == ("progress", 42)
    assert text == "420.0 kB of 1.0 MB so far"
    # The whole is only there once it is verified.
    assert second == 99


def test_in_the_end_each_artifact_is_there_once_and_tells_the_truth(said: dict[str, Any]) -> None:
    shown = said["artifacts"]["in the end"]
    assert {key: kind for key, (kind, *_) in shown.items()} == {
        "download": "progress",
        "boot-phases": "table",
        "report": "markdown",
    }
    per_cent, text = shown["download"][1:]
    assert per_cent == 100
    assert text.startswith("runner 2.336.0 from the S3 cache: 1.0 MB, in its place and verified from ")  # fmt: skip
    phases = json.loads(json.loads(shown["boot-phases"][1]))
    assert [(each["phase"], each["seconds"]) for each in phases if each["phase"] != "boot"] == [
        ("runner", 2.0),
        ("in all", 3.2),
    ]


def test_no_secret_is_in_an_artifact(said: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(said["artifacts"])
    assert "it said ***" in said["artifacts"]["in the end"]["report"][1]


def test_an_api_that_is_gone_costs_a_warning_and_two_seconds_at_most(said: dict[str, Any]) -> None:
    gone = said["without an API"]
    assert 1 <= len(gone["warnings"]) <= 2
    assert all(text.startswith("artifact.not_shown error=") for text in gone["warnings"])
    assert gone["seconds"] < 4


def test_nothing_of_the_report_is_imported_with_the_flow(said: dict[str, Any]) -> None:
    assert said["report_loaded"] == []
