import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.messages.job_status import MAX_BODY_BYTES, JobStatus
from agent.outcome import JobResult, Reason, Status

WHEN = datetime(2026, 11, 23, 7, 42, 18, 123456, tzinfo=UTC)
TEXTS = [
    name
    for name, field in JobStatus.model_fields.items()
    if field.annotation == (str | None) and not name.endswith("_at")
]
WHOLE = ["exit_code", "duration_seconds", "peak_memory_mb", "min_disk_free_mb", "oom_kills"]


def body(**more: Any) -> dict[str, Any]:
    message = JobStatus(**{"instance_id": "i-1", "job_id": "42", "status": "success", **more})
    found = json.loads(message.to_json())
    assert isinstance(found, dict)
    return found


def test_the_started_message_has_the_keys_that_go_parses_and_no_others() -> None:
    assert body(status=Status.STARTED, started_at=WHEN, bootstrap_total_seconds=12.34567) == {
        "instance_id": "i-1",
        "job_id": "42",
        "status": "started",
        "exit_code": 0,
        "duration_seconds": 0,
        "started_at": "2026-11-23T07:42:18Z",
        "bootstrap_total_seconds": 12.346,
    }


def test_the_keys_are_those_of_the_contract() -> None:
    keys = """instance_id job_id status exit_code duration_seconds started_at completed_at error
        interrupted_by run_id repo runner_name job_result job_name reason agent_version
        runner_version log_group log_stream log_upload bootstrap_boot_seconds
        bootstrap_config_seconds bootstrap_runner_seconds bootstrap_register_seconds
        bootstrap_total_seconds peak_memory_mb min_disk_free_mb oom_kills"""
    assert list(JobStatus.model_fields) == keys.split()


def test_words_are_written_as_the_contract_has_them() -> None:
    found = body(job_result=JobResult.FAILED, reason=Reason.JOB_SERVED, log_upload="disabled")
    assert (found["job_result"], found["reason"]) == ("failed", "job_served")


@pytest.mark.parametrize(
    ("given_id", "written"), [(42, "42"), ("43", "43"), (None, ""), ("", "")], ids=repr
)
def test_a_job_id_is_always_a_string(given_id: object, written: str) -> None:
    assert body(job_id=given_id)["job_id"] == written


@pytest.mark.parametrize("key", WHOLE)
def test_integers_are_never_written_as_floats(key: str) -> None:
    message = JobStatus(**{"instance_id": "i", "status": "success", key: 12.7})
    assert f'"{key}": 13,' in message.to_json() + "," or f'"{key}": 13}}' in message.to_json()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "x"], ids=str)
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        body(exit_code=value)


def test_seconds_that_json_cannot_say_are_left_out() -> None:
    assert "bootstrap_boot_seconds" not in body(bootstrap_boot_seconds=float("nan"))


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (WHEN, "2026-11-23T07:42:18Z"),
        ("2026-11-23T07:42:18Z", "2026-11-23T07:42:18Z"),
        (WHEN.astimezone(timezone(timedelta(hours=9))), "2026-11-23T07:42:18Z"),
    ],
    ids=["datetime", "text", "elsewhere"],
)
def test_a_time_is_rfc_3339_with_z(moment: object, written: str) -> None:
    assert body(started_at=moment)["started_at"] == written


@pytest.mark.parametrize("key", ["started_at", "completed_at", *TEXTS])
@pytest.mark.parametrize("value", ["", None])
def test_what_is_not_known_is_left_out_never_empty_or_null(key: str, value: str | None) -> None:
    assert key not in body(**{key: value})


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        body(started_at=WHEN.replace(tzinfo=None))


def test_an_error_is_one_line_of_a_bounded_length() -> None:
    found = body(error="first\nsecond " + "x" * 5000)["error"]
    assert found.startswith("first second xxx")
    assert len(found) == 2000


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(["job_id", *TEXTS], st.text())))
def test_any_text_makes_a_message_that_sqs_takes(texts: dict[str, str]) -> None:
    message = JobStatus(**{"instance_id": "i-1", "status": "failure", **texts})
    written = message.to_json()
    assert re.fullmatch(r"[ -~]*", written)
    assert json.loads(written)["instance_id"] == "i-1"


def test_the_longest_message_is_far_under_the_limit() -> None:
    everything = dict.fromkeys(["job_id", *TEXTS], "😀" * 10_000)
    message = JobStatus(**{"instance_id": "i-1", "status": "failure", **everything})
    assert len(message.to_json()) < MAX_BODY_BYTES // 2


def test_a_message_does_not_change_and_has_no_other_keys() -> None:
    message = JobStatus(instance_id="i-1", status=Status.STARTED)
    with pytest.raises(ValidationError):
        message.status = Status.FAILURE  # type: ignore[misc]
    with pytest.raises(ValidationError):
        body(surprise="x")
