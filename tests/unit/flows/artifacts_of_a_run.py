"""Part of a program: the artifacts of a run that this makes up, shown through whatever API Prefect is set to."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from prefect import flow

from agent.journal import facts
from agent.settings import Settings
from agent.stages.context import RunContext, open_run
from flows.artifacts import Artifacts

SECRET = "a-secret-of-the-run"
LOOK_SECONDS = 0.05


def rows(home: Path) -> dict[str, list[Any]]:
    """Of each artifact, by key: type, data and description."""
    with closing(sqlite3.connect(home / "prefect" / "prefect.db", timeout=10)) as database:
        found = database.execute("SELECT key, type, data, description FROM artifact").fetchall()
    return {key: rest for key, *rest in found}


async def seen(home: Path, text: str) -> list[Any]:
    """The download's artifact, once it says the text."""
    async with asyncio.timeout(20):
        while True:
            shown = rows(home).get("download")
            if shown and text in shown[2]:
                return shown
            await asyncio.sleep(LOOK_SECONDS)


def a_run(home: Path) -> RunContext:
    environment = {
        "RUNS_FLEET_INSTANCE_ID": "i-0123456789abcdef0",
        "AWS_REGION": "eu-central-1",
        "RUNS_FLEET_LOG_GROUP": "",
        "RUNS_FLEET_STATE_DIR": str(home / "state"),
        "RUNS_FLEET_RUNNER_DIR": str(home / "runner"),
    }
    run = open_run(environment, Settings.from_environment(environment))
    run.redactor.add(SECRET)
    return run


async def shown_along(home: Path) -> dict[str, Any]:
    """What the artifacts said while a download went on, and at the end."""
    run = a_run(home)

    @flow
    async def shows() -> list[list[Any]]:
        artifacts = Artifacts(run, look_seconds=LOOK_SECONDS)
        artifacts.begin()
        run.transfer.begin(1_000_000)
        run.transfer.more(420_000)
        first = await seen(home, "420.0 kB of 1.0 MB")
        run.transfer.more(580_000)
        second = await seen(home, "1.0 MB of 1.0 MB")
        for fact in ended(run):
            run.journal.add(fact)
        await artifacts.finish()
        return [first, second]

    return {"along": await shows(), "in the end": rows(home)}


class Heard(logging.Handler):
    """What was said, as lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def shown_to_nobody(home: Path) -> dict[str, Any]:
    """What it costs when the API does not answer any more."""
    run, heard = a_run(home), Heard()
    logging.getLogger("flows.artifacts").addHandler(heard)
    began = run.clock.monotonic()
    artifacts = Artifacts(run, look_seconds=LOOK_SECONDS)
    artifacts.begin()
    await artifacts.finish()
    return {"warnings": heard.lines, "seconds": run.clock.monotonic() - began}


def ended(run: RunContext) -> tuple[facts.Fact, ...]:
    now = run.journal.now()
    return (
        facts.RunnerPlaced(now, "2.336.0", "ab" * 32, "cache", 2.0, 1_000_000),
        facts.RunnerStarted(now, 4711, 99, 3.2, run.clock.monotonic()),
        facts.Ended(now, "job_served", f"it said {SECRET}", "succeeded", f"job {SECRET}", 0),
    )
