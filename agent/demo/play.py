"""One run of the agent against the embedded cloud: what the demo shows and what the integration tests look at."""

import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from agent.clock import Clock, SystemClock
from agent.deadline import Deadline
from agent.localcloud.cloud import LocalCloud
from agent.localcloud.github_releases import GitHubOptions
from agent.localcloud.jit import secrets_inside
from agent.localcloud.runner.build import BuiltArchive, build_archive
from agent.localcloud.runner.scenario import Scenario
from agent.outcome import Reason

CACHE_TOKEN = "cache-token-that-nobody-may-see"  # noqa: S105 - a canary
RUN_SECONDS = 180.0
LOOK_SECONDS = 0.25
QUICK = {
    "RUNS_FLEET_SPOT_POLL_SECONDS": "0.5",
    "RUNS_FLEET_CHECK_INTERVAL_SECONDS": "0.5",
    "RUNS_FLEET_GRACE_SECONDS": "15",
    "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": "40",
}


@dataclass(frozen=True, slots=True)
class Script:
    """What a run is made of; the defaults are a job that is served."""

    title: str
    runner: Scenario = field(default_factory=Scenario)
    github: GitHubOptions = field(default_factory=GitHubOptions)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of those that lead to the embedded cloud."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the runner config that differ from a good one; None leaves a key out."""
    fifo: bool = False
    interpreter: str = sys.executable
    """Runs the stand-in runner; its user must be able to execute it."""
    prepare: Callable[["Play"], None] | None = None
    """Called when the cloud is up, before the agent starts."""
    act: Callable[["Play"], None] | None = None
    """Called while the agent runs, in a thread of its own."""
    reason: Reason = Reason.JOB_SERVED
    """How it must end."""


class Play:
    """A script set up in a working directory: the cloud, the agent's process, and what it says."""

    def __init__(
        self,
        script: Script,
        workdir: Path,
        *,
        program: Sequence[str] = (sys.executable, "-m", "agent"),
        clock: Clock | None = None,
        filler_files: int = 300,
        filler_bytes: int = 4_000_000,
        archive: BuiltArchive | None = None,
        aws_endpoint: str | None = None,
    ) -> None:
        """Starts nothing yet; everything that the agent writes will be under `workdir`.

        Args:
            script: what is played.
            workdir: an empty directory of the caller's.
            clock: for the limits of what is waited for.
            filler_files: how many files of the runner's archive are mere weight.
            filler_bytes: their size in all.
            archive: in place of one that is built for the script.
            aws_endpoint: what answers as AWS; the embedded one when None.
            program: the agent's command.
        """
        self.script = script
        self.workdir = workdir
        self.state_dir = workdir / "state"
        self.runner_dir = workdir / "actions-runner"
        self.program = program
        self.clock = clock or SystemClock()
        self.lines: list[str] = []
        self.secrets: set[str] = {CACHE_TOKEN}
        self.argv_leaks: set[str] = set()
        self._filler_files = filler_files
        self._filler_bytes = filler_bytes
        self._given = archive
        self._aws_endpoint = aws_endpoint
        self._news = threading.Condition()
        self._stack = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self.cloud: LocalCloud
        self.archive: BuiltArchive

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.archive = self._given or build_archive(
                self.workdir / "release",
                self.script.runner,
                interpreter=self.script.interpreter,
                filler_files=self._filler_files,
                filler_bytes=self._filler_bytes,
            )
            self.cloud = stack.enter_context(
                LocalCloud(
                    self.workdir,
                    self.archive,
                    options=self.script.github,
                    fifo=self.script.fifo,
                    aws_endpoint=self._aws_endpoint,
                )
            )
            self.write_config()
            if self.script.prepare is not None:
                self.script.prepare(self)
            stack.callback(self._kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write_config(self, **more: Any) -> None:
        """Writes the runner config of the script; its secrets are remembered for the search afterwards."""
        written = self.cloud.write_config(
            **{"cache_token": CACHE_TOKEN, **self.script.config, **more}
        )
        for key in ("jit_token", "jit_config"):
            if isinstance(written.get(key), str):
                self.secrets.add(written[key])
        if isinstance(written.get("jit_config"), str):
            self.secrets.update(secrets_inside(written["jit_config"]))

    def environment(self) -> dict[str, str]:
        own = {
            "RUNS_FLEET_RUNNER_DIR": str(self.runner_dir),
            "RUNS_FLEET_STATE_DIR": str(self.state_dir),
            "RUNS_FLEET_RUNNER_USER": pwd.getpwuid(os.geteuid()).pw_name,
            # A developer's machine has no role to keep, and its firewall is no business of ours.
            "RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE": "true",
            **QUICK,
            **self.script.settings,
        }
        return {**self.cloud.environment_over(os.environ), **own}

    def start(self, command: Sequence[str] = ("run",)) -> None:
        """Starts the agent as systemd would; its words are read as they come."""
        self._process = subprocess.Popen(
            [*self.program, *command],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        if self.script.act is not None:
            threading.Thread(target=self.script.act, args=(self,), daemon=True).start()

    def wait_for(self, text: str, seconds: float = RUN_SECONDS) -> str:
        """The first line of the agent's that holds the text.

        Raises:
            TimeoutError: it did not come, with everything that did.
        """
        deadline = Deadline.after(self.clock, seconds)
        with self._news:
            while True:
                if found := next((line for line in self.lines if text in line), None):
                    return found
                if deadline.expired or not self._running():
                    raise TimeoutError(f"no {text!r} in:\n" + "\n".join(self.lines))
                self._news.wait(min(0.5, deadline.remaining()))

    def follow(self) -> Iterator[list[str]]:
        """What the agent has said since the last look, if anything, four times a second until it has ended or is over every limit.

        Each time the command lines of the machine are looked at too.
        """
        deadline, never, read = Deadline.after(self.clock, RUN_SECONDS), threading.Event(), 0
        ended = False
        while not ended:
            ended = self.process.poll() is not None or deadline.expired
            self.look_at_argv()
            new = self.lines[read:]
            read += len(new)
            yield new
            self.clock.wait(never, 0 if ended else LOOK_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Sends the agent's first process a signal, as systemd does with KillMode=mixed."""
        if self._process is not None:
            self._process.send_signal(number)

    def finish(self, seconds: float = RUN_SECONDS) -> int:
        """Waits for the agent's end; its exit status.

        Raises:
            TimeoutError: it did not end, with everything that it said.
        """
        process = self.process
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError("the agent did not end:\n" + "\n".join(self.lines)) from None
        with self._news:
            self._news.wait_for(lambda: process.stdout is None or process.stdout.closed, 5)
        return status

    @property
    def process(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise RuntimeError("the agent was not started")
        return self._process

    def look_at_argv(self) -> None:
        """Remembers every command line of the machine that holds a secret; called again and again while the agent runs."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            if any(secret in line for secret in self.secrets):
                self.argv_leaks.add(line)

    def _running(self) -> bool:
        process = self._process
        if process is None or process.stdout is None:
            return False
        return process.poll() is None or not process.stdout.closed

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        with process.stdout as words:
            for line in words:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _kill(self) -> None:
        """Whatever of the agent is left when the play is over early."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
