"""Stages against the embedded cloud: real HTTP, real processes, no Prefect."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.localcloud.cloud import LocalCloud
from agent.localcloud.github_releases import GitHubOptions
from agent.localcloud.runner.build import BuiltArchive, build_archive
from agent.localcloud.runner.scenario import Scenario
from agent.settings import Settings
from agent.stages.context import RunContext, open_run

QUICK = Scenario(time_scale=0.01)


@dataclass
class Machine:
    """An instance and the world around it; `run` opens the agent's run on it."""

    workdir: Path
    cloud: LocalCloud
    archive: BuiltArchive
    set_environment: Callable[[Mapping[str, str]], None]
    runs: list[RunContext] = field(default_factory=list)

    @property
    def runner_dir(self) -> Path:
        return self.workdir / "actions-runner"

    def run(self, **settings: str) -> RunContext:
        environment = self.cloud.environment_over(
            os.environ,
            RUNS_FLEET_RUNNER_DIR=str(self.runner_dir),
            RUNS_FLEET_STATE_DIR=str(self.workdir / "state"),
            RUNS_FLEET_RUNNER_USER=pwd.getpwuid(os.geteuid()).pw_name,
        )
        environment |= settings
        self.set_environment(environment)
        run = open_run(environment, Settings.from_environment(environment))
        self.runs.append(run)
        return run

    def close(self) -> None:
        for run in self.runs:
            run.shipper.stop()
            run.metadata.close()

    def in_seconds(self, seconds: float) -> Deadline:
        return Deadline.after(SystemClock(), seconds)

    def left_beside_the_runner(self) -> list[str]:
        """Stagings and kept archives; there must be none after a failure."""
        return [path.name for path in self.workdir.iterdir() if path.name.startswith(".")]


@pytest.fixture
def make_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Machine]]:
    """boto3 reads the environment of the process, so it is the machine's for the length of the test."""

    def settle(environment: Mapping[str, str]) -> None:
        for name in set(os.environ) - set(environment):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    with ExitStack() as stack:

        def make(
            scenario: Scenario = QUICK, github: GitHubOptions | None = None, *, fifo: bool = False
        ) -> Machine:
            archive = build_archive(
                tmp_path / "release", scenario, filler_files=3, filler_bytes=20_000
            )
            cloud = stack.enter_context(LocalCloud(tmp_path, archive, options=github, fifo=fifo))
            machine = Machine(tmp_path, cloud, archive, settle)
            stack.callback(machine.close)
            return machine

        yield make


@pytest.fixture
def machine(make_machine: Callable[..., Machine]) -> Machine:
    return make_machine()
