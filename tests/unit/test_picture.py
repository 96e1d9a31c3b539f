"""The pictures of the flow: docs/run_job.svg and the flowchart in the README."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from prefect.utilities.visualization import TaskVizTracker

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs/draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(draw: ModuleType) -> TaskVizTracker:
    tracker: TaskVizTracker = draw.drawn()
    return tracker


def test_the_flowchart_of_the_readme_is_what_the_code_does(
    draw: ModuleType, drawn: TaskVizTracker
) -> None:
    written = (ROOT / "README.md").read_text()
    assert draw.with_flowchart(written, drawn) == written, "run `make diagram`"


def test_the_picture_is_what_the_code_does(draw: ModuleType, drawn: TaskVizTracker) -> None:
    assert draw.edges_of_picture() == draw.edges(drawn), "run `make diagram`"


def test_what_runs_beside_the_job_waits_for_the_runner_and_not_for_the_job(
    draw: ModuleType, drawn: TaskVizTracker
) -> None:
    edges = draw.edges(drawn)
    beside = {"notify started", "delete_parameters"}
    assert {(first, last) for first, last in edges if last in {"execute", *beside}} == {
        ("register", name) for name in ("execute", *beside)
    }


def test_everything_is_over_before_the_end_is_told_and_the_instance_goes_last(
    draw: ModuleType, drawn: TaskVizTracker
) -> None:
    edges = draw.edges(drawn)
    leads_on = {first for first, _ in edges}
    names = {task.name for task in drawn.tasks}
    assert names - leads_on == {"terminate"}
    assert {edge for edge in edges if edge[1] in {"clean_up", "terminate"}} == {
        ("notify final", "clean_up"),
        ("clean_up", "terminate"),
    }
