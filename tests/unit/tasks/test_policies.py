"""The retry policy of each task, as the table in the design has it."""

import asyncio
from typing import Any

import pytest
from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed

from agent.errors import AwsError, ConfigError, DigestMismatch, DownloadError, TokenExpired
from agent.settings import Settings
from tasks.clean_up import clean_up
from tasks.download import download, fill_cache
from tasks.execute import execute, limit_seconds
from tasks.fetch_config import delete_parameters, fetch_config
from tasks.notify import notify
from tasks.policy import when_transient
from tasks.register import register
from tasks.terminate import terminate
from tasks.verify import verify

TABLE: list[tuple[Task[Any, Any], int, float]] = [
    (fetch_config, 3, 30),
    (download, 3, 300),
    (verify, 0, 60),
    (register, 3, 120),
    (notify, 5, 10),
    (execute, 0, 360 * 60 + 90 + 60),
    (clean_up, 2, 30),
    (terminate, 5, 60),
]


@pytest.mark.parametrize(("task", "retries", "seconds"), TABLE, ids=lambda v: getattr(v, "name", v))
def test_a_task_has_the_retries_and_the_time_limit_of_the_design(
    task: Task[Any, Any], retries: int, seconds: float
) -> None:
    assert (task.retries, task.timeout_seconds) == (retries, seconds)


@pytest.mark.parametrize(
    "task", [fetch_config, download, register, notify, terminate], ids=lambda t: t.name
)
def test_a_retried_task_backs_off_with_jitter_and_only_for_what_is_transient(
    task: Task[Any, Any],
) -> None:
    delays = task.retry_delay_seconds
    assert isinstance(delays, list)
    assert delays == sorted(delays)
    assert delays[-1] > delays[0]
    assert task.retry_jitter_factor
    assert task.retry_condition_fn is when_transient


def test_all_tries_of_a_message_fit_into_its_limit_when_they_fail_fast() -> None:
    assert sum(notify.retry_delay_seconds) < 10


@pytest.mark.parametrize(
    "task",
    [row[0] for row in TABLE] + [fill_cache, delete_parameters],
    ids=lambda t: t.name,
)
def test_no_task_keeps_its_result(task: Task[Any, Any]) -> None:
    assert task.persist_result is False


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (DownloadError("reset", mend="x"), True),
        (DownloadError("404", mend="x", transient=False), False),
        (AwsError("throttled", mend="x", transient=True), True),
        (AwsError("refused", mend="x"), False),
        (ConfigError("wrong", mend="x"), False),
        (TokenExpired("old", mend="x"), False),
        (DigestMismatch("poison", mend="x"), False),
        (TimeoutError(), True),
    ],
    ids=repr,
)
def test_another_try_is_made_only_for_what_may_pass(
    error: Exception,
    again: bool,  # noqa: FBT001
) -> None:
    state: State[Any] = Failed(data=error)
    run = TaskRun(task_key="k", dynamic_key="0", flow_run_id=None)
    assert asyncio.run(when_transient(download, run, state)) is again


def test_the_job_s_own_limit_lies_a_minute_beyond_the_watcher_s_and_the_grace_period() -> None:
    settings = Settings.from_environment(
        {"RUNS_FLEET_MAX_RUNTIME_MINUTES": "2", "RUNS_FLEET_GRACE_SECONDS": "5"}
    )
    assert limit_seconds(settings) == 2 * 60 + 5 + 60
