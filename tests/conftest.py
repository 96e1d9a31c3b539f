import os
import platform
from importlib.metadata import version

import hypothesis
import pytest

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
