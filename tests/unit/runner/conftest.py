"""Real processes for the runner's tests; whatever a test started is gone when it ends, or the test fails."""

import os
import pwd
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.runner.commands import environment
from agent.runner.process import RunnerProcess
from agent.runner.start import start
from agent.runner.user import RunnerUser, runner_user


class Stage:
    """A runner directory, an output file, and what was started there."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.dir = folder / "runner"
        self.dir.mkdir()
        self.output = folder / "run.log"
        self.user: RunnerUser = runner_user(pwd.getpwuid(os.geteuid()).pw_name)
        self.env = environment(self.user, {"PATH": os.environ["PATH"]})
        self.started: list[RunnerProcess] = []

    def script(self, name: str, text: str) -> Path:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
        path.chmod(0o755)
        return path

    def start(self, *command: str, env: dict[str, str] | None = None) -> RunnerProcess:
        process = start(
            command,
            cwd=self.dir,
            env=self.env if env is None else env,
            user=self.user,
            output=self.output,
            clock=self.clock,
        )
        self.started.append(process)
        return process

    def run(self, *command: str, env: dict[str, str] | None = None) -> str:
        """What the command printed, once it has ended with status 0."""
        assert self.start(*command, env=env).wait(10) == 0, self.said()
        return self.said()

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def until_said(self, *lines: str) -> None:
        deadline = Deadline.after(self.clock, 10)
        while not set(lines) <= set(self.said().splitlines()):
            assert not deadline.expired, f"{lines} not in {self.said()!r}"
            self.clock.wait(threading.Event(), 0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    left = {process.pid: process.left() for process in stage.started}
    for process in stage.started:
        process.kill_everything()
    assert not any(left.values()), f"processes left: {left}"
