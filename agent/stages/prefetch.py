"""The first two stages' work, begun beside Prefect's start, in a process of its own: its imports leave a second core idle.

The stages adopt what it brought. Whatever it could not do, they do themselves and say what is wrong with it.
"""

import contextlib
import logging
import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from agent.deadline import Deadline
from agent.errors import AgentError
from agent.events import event, warning
from agent.parameters.runner_config import RunnerConfig

if TYPE_CHECKING:
    from agent.stages.context import RunContext
    from agent.stages.download import StagedRunner

log = logging.getLogger(__name__)

DOWNLOAD_SECONDS = 290.0
LOOK_SECONDS = 0.02
END_SECONDS = 2.0


class Prefetch:
    """A forked process, and what it says through two pipes. Each of the two things can be taken once."""

    def __init__(self, run: "RunContext") -> None:
        """Starts it. Call this while the process has one thread: a fork takes no other along, but their locks.

        It is in the process group of the flow, and the guardian ends it with that.

        Raises:
            OSError: there is no process to be had.
        """
        # No import machinery, no second interpreter: this one has what it needs.
        fork = multiprocessing.get_context("fork")
        self._config, config = fork.Pipe(duplex=False)
        self._runner, runner = fork.Pipe(duplex=False)
        self._run = run
        self._process = fork.Process(target=_work, args=(run, config, runner), daemon=True)
        self._process.start()
        config.close()
        runner.close()

    @classmethod
    def begun(cls, run: "RunContext") -> "Prefetch | None":
        """As made by itself; None where there is no process to be had."""
        try:
            return cls(run)
        except OSError as exc:
            warning(log, "prefetch.not_begun", error=exc)
            return None

    def config(self, stop: threading.Event) -> RunnerConfig | None:
        """The runner config, where it was there before Prefect was; None means look yourself."""
        config: RunnerConfig | None = self._take(self._config, stop)
        return config

    def runner(self, stop: threading.Event) -> "StagedRunner | None":
        """The staged runner; None means get it yourself.

        A download that is under way is waited for: starting a second one beside it helps nobody.
        """
        asked = self._run.clock.monotonic()
        staged: StagedRunner | None = self._take(self._runner, stop)
        if staged is None:
            self.end()
            return None
        event(
            log,
            "runner.prefetched",
            source=staged.source,
            bytes=staged.archive_bytes,
            began_before=asked - staged.began,
            seconds=staged.seconds,
        )
        return staged

    def end(self) -> None:
        """Kills it where it still runs; what it left beside the runner directory the next download sweeps."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join(END_SECONDS)

    def _take(self, pipe: Connection, stop: threading.Event) -> Any:
        """What the pipe brings; None where the process has ended, brought nothing, or a stop was asked for."""
        try:
            while not pipe.poll(LOOK_SECONDS):
                if stop.is_set():
                    return None
            got = pipe.recv()
        except (OSError, EOFError):  # it was taken before, or the process died
            return None
        pipe.close()
        return got


def _work(run: "RunContext", config: Connection, runner: Connection) -> None:
    """The process: two threads, as the two tasks are."""
    reading = threading.Thread(target=_send_config, args=(run, config), daemon=True)
    reading.start()
    _send_runner(run, runner)
    reading.join()


def _send_config(run: "RunContext", pipe: Connection) -> None:
    from agent.stages.fetch_config import parameters

    read = None
    with contextlib.closing(pipe):
        with contextlib.suppress(AgentError):
            read = parameters(run).read()
        _send(pipe, read if read is not None and read.has_credential else None)


def _send_runner(run: "RunContext", pipe: Connection) -> None:
    from agent.stages.download import download

    staged = None
    with contextlib.closing(pipe):
        with contextlib.suppress(AgentError):
            staged = download(run, deadline=Deadline.after(run.clock, DOWNLOAD_SECONDS))
        _send(pipe, staged)


def _send(pipe: Connection, what: object) -> None:
    with contextlib.suppress(OSError):
        pipe.send(what)
