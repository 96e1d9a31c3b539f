"""Draws the pipeline of `run_job` out of its code: docs/run_job.svg, and the flowchart in the README; `--check` only compares.

Prefect draws a flow from which task is handed what another one returned. What makes this pipeline is rather what waits for what, so
it is walked through once for each of its tasks, with that one slower than all others: an arrow means that a task never began before
another one was over, whichever was slow. Nothing of a task itself is run. The pictures are made by Prefect's own code.
"""

import argparse
import asyncio
import logging
import re
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import graphviz
from prefect import Task
from prefect.utilities.visualization import (
    TaskVizTracker,
    VizTask,
    build_mermaid_dependencies,
    build_task_dependencies,
)

from agent.journal.facts import ConfigFetched
from agent.outcome import JobResult, Outcome, Reason
from agent.parameters.runner_config import RunnerConfig
from agent.releases.github import Release
from agent.settings import Settings
from agent.stages.context import RunContext, open_run
from agent.stages.download import Source, StagedRunner
from flows.pipeline import take_through

P = ParamSpec("P")
R = TypeVar("R")
Edge = tuple[str, str]

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "run_job.svg"
BEGIN, END = "<!-- flow: written by make docs -->", "<!-- end of flow -->"
SLOW_SECONDS = 0.2
"""Much longer than what the pipeline does between two tasks when none of them does anything."""
NOWHERE = "http://127.0.0.1:9"
"""Port 9 of loopback takes nothing: the walk asks nobody for anything."""


@dataclass(slots=True)
class Walk:
    """One way through the pipeline, as a `Call`; remembers which task began when, and when it was over."""

    results: dict[str, Any]
    slow: str | None = None
    moments: list[Edge] = field(default_factory=list)

    async def __call__(
        self, task: Task[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        given = (*args, *kwargs.values())
        name = " ".join([task.name, *(each for each in given if isinstance(each, str))])
        self.moments.append((name, "began"))
        for told in filter(callable, given):
            told()  # as `execute` does once the runner has been started
        await asyncio.sleep(SLOW_SECONDS if name == self.slow else 0)
        self.moments.append((name, "over"))
        result: R = self.results.get(task.name)  # type: ignore[assignment]
        return result

    def tasks(self) -> list[str]:
        """In the order in which they began."""
        return [name for name, moment in self.moments if moment == "began"]

    def orders(self, first: str, second: str) -> bool:
        """Whether the second began when the first was over."""
        return self.moments.index((first, "over")) < self.moments.index((second, "began"))


def walk(slow: str | None = None) -> Walk:
    """A job that is served, by a runner that was fresh from GitHub."""
    with TemporaryDirectory() as folder:
        staged = StagedRunner(
            path=Path(folder),
            release=Release("2.336.0", "x64", "", "", 0),
            source=Source.GITHUB,
            sha256="",
            archive=Path(folder),
            cache_was_wrong=False,
            began=0.0,
            seconds=0.0,
        )
        results = {
            "fetch_config": RunnerConfig(repo="octo-org/hello-world", run_id="1"),
            "download": staged,
            "verify": staged,
            "execute": Outcome(Reason.JOB_SERVED, job_result=JobResult.SUCCEEDED, exit_code=0),
        }
        walked = Walk(results, slow)
        asyncio.run(_through(_instance(Path(folder)), walked))
    return walked


async def _through(run: RunContext, walked: Walk) -> None:
    await take_through(run, walked)
    run.shipper.stop()


def _instance(folder: Path) -> RunContext:
    environment = {
        "RUNS_FLEET_INSTANCE_ID": "i-0123456789abcdef0",
        "AWS_REGION": "eu-central-1",
        "RUNS_FLEET_STATE_DIR": str(folder / "state"),
        "RUNS_FLEET_RUNNER_DIR": str(folder / "runner"),
        "RUNS_FLEET_LOG_GROUP": "",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": NOWHERE,
    }
    run = open_run(environment, Settings.from_environment(environment))
    told = ConfigFetched(run.journal.now(), "1", "", "octo-org/hello-world", "runner", "", 0.0)
    run.journal.add(told)
    return run


def drawn() -> TaskVizTracker:
    """The tasks as Prefect's own drawing takes them, each after those that it always waits for."""
    names = walk().tasks()
    walks = [walk(slow=name) for name in names]
    before = {
        (first, second)
        for first in names
        for second in names
        if first != second and all(each.orders(first, second) for each in walks)
    }
    tracker = TaskVizTracker()
    known: dict[str, VizTask] = {}
    for name in names:
        upstream = [known[first] for first in names if (first, name) in set(_direct(before))]
        known[name] = VizTask(name, upstream)
        tracker.tasks.append(known[name])
    return tracker


def _direct(before: set[Edge]) -> Iterator[Edge]:
    """Without what follows from others."""
    names = {name for edge in before for name in edge}
    for first, last in before:
        if not any((first, name) in before and (name, last) in before for name in names):
            yield first, last


def edges(tracker: TaskVizTracker) -> set[Edge]:
    return {
        (upstream.name, task.name) for task in tracker.tasks for upstream in task.upstream_tasks
    }


def edges_of_picture() -> set[Edge]:
    """What the picture on the disk shows; empty where there is none."""
    text = PICTURE.read_text() if PICTURE.exists() else ""
    titles = re.findall(r'class="edge">\s*<title>(.+?)&#45;&gt;(.+?)</title>', text)
    return {(first, second) for first, second in titles}


def with_flowchart(text: str, tracker: TaskVizTracker) -> str:
    """The README with its flowchart made anew.

    Raises:
        ValueError: it has no place for one.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no {BEGIN} … {END}")
    chart = build_mermaid_dependencies(tracker).replace("flowchart TD", "flowchart LR", 1)
    chart = re.sub(r' +(\w+)\["\1"\]\n', "", chart)  # an arrow names it just as well
    return f"{before}{begin}\n```mermaid\n{chart}\n```\n{end}{after}"


def draw(tracker: TaskVizTracker) -> None:
    """Writes the picture; the bytes are those of the installed graphviz.

    Raises:
        graphviz.ExecutableNotFound: `make tools` installs it.
    """
    graph = build_task_dependencies(tracker)
    graph.graph_attr.update(rankdir="LR", bgcolor="white", nodesep="0.3", ranksep="0.3")
    graph.node_attr.update(shape="box", style="rounded,filled", color="#3b6fb5")
    graph.node_attr.update(fillcolor="#eef3fb", fontname="DejaVu Sans,sans-serif", fontsize="11")
    graph.edge_attr.update(color="#5b6b80", arrowsize="0.7")
    PICTURE.write_bytes(graph.pipe(format="svg"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    logging.disable()
    tracker = drawn()
    written = README.read_text()
    wanted = with_flowchart(written, tracker)
    stale = edges_of_picture() != edges(tracker)
    if given.check:
        return 1 if stale or written != wanted else 0
    README.write_text(wanted)
    if stale:
        try:
            draw(tracker)
        except graphviz.ExecutableNotFound:
            sys.stderr.write("graphviz's `dot` is not on this machine: make tools\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
