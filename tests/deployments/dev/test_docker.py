"""Dockerfile.agent-test and docker-compose.yml, as far as they can be checked without an engine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent import cli
from agent.demo.scenarios import scenarios

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "deployments/Dockerfile.agent-test"
COMPOSE = ROOT / "deployments/docker-compose.yml"
TOOLS = Path(sys.executable).parent


def docker_has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return read


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [TOOLS / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_compose_file_is_one() -> None:
    done = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not docker_has_compose(), reason="`docker compose` is not installed here")
def test_docker_compose_takes_it() -> None:
    done = subprocess.run(
        ["docker", "compose", "--file", COMPOSE, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_image_is_pinned_to_a_version(compose: dict[str, Any]) -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    images = [service["image"] for service in compose["services"].values() if "image" in service]
    assert len(bases) == 2
    assert len(images) == 1
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in bases + images)


def test_what_the_image_needs_of_the_checkout_is_there_and_let_into_the_build() -> None:
    allowed = Path(f"{DOCKERFILE}.dockerignore").read_text().splitlines()
    names = [line.removeprefix("!") for line in allowed if line.startswith("!")]
    assert all((ROOT / name).exists() for name in names)
    packages = re.search(
        r"^packages = \[(.+)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert packages is not None
    assert {name.strip(' "') for name in packages[1].split(",")} <= set(names)


def test_the_agents_container_plays_a_scenario_against_localstack_as_the_command_line_has_it(
    compose: dict[str, Any],
) -> None:
    agent = compose["services"]["agent"]
    words = [word.replace("${SCENARIO:-job}", "spot-notice") for word in agent["command"]]
    given = cli._parser().parse_args(words)
    assert given.scenario in scenarios(Path("/"))
    assert given.aws_endpoint == "http://localstack:4566"
    assert f"useradd --create-home {given.runner_user}" in DOCKERFILE.read_text()
    assert agent["depends_on"]["localstack"]["condition"] == "service_healthy"
