"""A flow with one task, as Prefect's documentation has it, on Prefect's own ephemeral server."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.boot.process import Tree
from flows.api.database import NAME, load

COUNTING = Path(__file__).parent / "counting"
"""Has a `sitecustomize` that Python finds there."""

FLOW = """
import time
from prefect import flow, task

@task
async def first():
    print(time.time(), flush=True)
    time.sleep(2)

@flow
async def stock():
    await first()

import asyncio
asyncio.run(stock())
"""


@dataclass(frozen=True)
class Stock:
    """One time."""

    first_task: float
    pss_mb: float
    cpu_seconds: float
    """Until then."""


def stock_prefect(
    folder: Path, counted: Path | None = None, before: Callable[[], None] = lambda: None
) -> Stock:
    """From process start to the body of the first task, the database migrated beforehand.

    Args:
        folder: for the database.
        counted: gets the names of the files that are opened.
        before: called right before it starts.
    """
    home = Path(tempfile.mkdtemp(dir=folder))
    load(home / NAME)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    if counted is not None:
        kept |= {"PYTHONPATH": str(COUNTING), "COUNT_OPENED": str(counted)}
    before()
    began = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", FLOW],
        env={**kept, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        first = float(process.stdout.readline()) - began
        tree = Tree(process.pid)
        cpu = tree.cpu_seconds()
        time.sleep(1)
        pss = tree.pss_mb()
    return Stock(first, pss, cpu)
