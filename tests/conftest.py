import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest

from flows.api.database import NAME, load
from tests.central_prefect import CentralPrefect

# A slow machine is no failure of a property.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

WATCHED = ("prefect", "fastapi", "boto3", "moto", "pydantic")


def pytest_report_header() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in WATCHED)
    return f"python {platform.python_version()}, {versions}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings and AWS profile never reach a test."""
    for name in list(os.environ):
        if name.startswith(("RUNS_FLEET_", "AWS_", "PREFECT_", "ACTIONS_RUNNER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def migrated_prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Prefect home whose database has its tables."""
    home = tmp_path_factory.mktemp("prefect") / "home"
    home.mkdir()
    load(home / NAME)
    return home


@pytest.fixture(scope="session")
def central_prefect(
    tmp_path_factory: pytest.TempPathFactory, migrated_prefect_home: Path
) -> Iterator[str]:
    """The address of a Prefect server that all runs of a session may report to."""
    home = tmp_path_factory.mktemp("central") / "prefect"
    shutil.copytree(migrated_prefect_home, home)
    with CentralPrefect(home) as server:
        yield server.url
