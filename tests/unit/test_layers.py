"""Imports run downward only: flows → tasks → agent, and inside agent: values, rooms, stages, coordinators."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "archive",
    "cache",
    "instance",
    "journal",
    "logs",
    "messages",
    "parameters",
    "releases",
    "runner",
    "watchers",
}
COORDINATORS = {
    "cli",
    "demo",
    "doctor",
    "guardian",
    "localcloud",
    "read_logs",
    "report",
    "status",
    "__main__",
}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "agent" and len(parts) > 1 else None


@pytest.mark.parametrize("path", modules("agent"), ids=str)
def test_plain_code_knows_nothing_of_prefect_tasks_or_flows(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {"prefect", "tasks", "flows"}


@pytest.mark.parametrize("path", modules("tasks"), ids=str)
def test_tasks_know_nothing_of_flows(path: Path) -> None:
    assert "flows" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", modules("agent"), ids=str)
def test_rooms_know_values_and_themselves_only(path: Path) -> None:
    own = path.relative_to(ROOT / "agent").parts[0].removesuffix(".py")
    if own not in ROOMS:
        return
    reached = {room(name) for name in imports(path)} - {None, own}
    assert not reached & (ROOMS | COORDINATORS | {"stages"})


@pytest.mark.parametrize("path", modules("agent/stages"), ids=str)
def test_stages_know_no_coordinator(path: Path) -> None:
    assert not {room(name) for name in imports(path)} & COORDINATORS


def test_the_guardian_starts_with_the_standard_library_alone() -> None:
    program = (
        "import sys; import agent.cli, agent.guardian.supervise;"
        "names = {n.split('.')[0] for n in sys.modules};"
        "print(*sorted(n for n in names if n not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    # Packages that `site` itself loads from .pth files come before any import of ours.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*{n.split('.')[0] for n in sys.modules})"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert set(done.stdout.split()) - set(bare.stdout.split()) == {"agent"}


def test_the_top_level_names_belong_to_this_distribution_only() -> None:
    for name in ("agent", "tasks", "flows"):
        assert set(packages_distributions().get(name, [])) <= {"runs-fleet-agent"}


def test_what_an_instance_needs_is_the_same_for_pip_and_for_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = (ROOT / "requirements/run.in").read_text().splitlines()
    needed = {line.replace('"', "'") for line in listed if not line.startswith("#")}
    assert needed == set(project["dependencies"])


def test_the_packages_and_the_folders_that_were_asked_for_are_there() -> None:
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)  # fmt: skip
    asked_for = {"prefect", "prefect-aws", "boto3", "httpx", "psutil", "pytest", "moto"}
    assert asked_for <= set(locked)
    for name in ("flows", "tasks", "tests", "deployments", "terraform"):
        assert (ROOT / name).is_dir()
    for name in ("pyproject.toml", "README.md"):
        assert (ROOT / name).is_file()
