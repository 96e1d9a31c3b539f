"""Runs the one job: starts `run.sh`, follows what the runner says, watches the machine, returns a typed outcome."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.events import event, warning
from agent.journal.facts import JobSeen, RunnerGone, RunnerStarted
from agent.logs.tail import Tail
from agent.outcome import JobResult, Outcome
from agent.runner import files
from agent.runner.commands import environment, run_command
from agent.runner.process import RunnerProcess, start
from agent.runner.result import Conversation, outcome
from agent.runner.says import (
    JobStarted,
    Listening,
    Restarting,
    Said,
    parse_diag,
    parse_output,
)
from agent.runner.user import runner_user
from agent.stages.context import RunContext
from agent.stages.record import record_outcome
from agent.stages.watch import Watching
from agent.stop import StopRequest

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""How often the runner's words are read; a stop request is seen at once."""
AFTER_FINISH_SECONDS = 60.0
"""How long a runner may take to exit once its job is finished."""
SPOT_RESERVE_SECONDS = 30.0
"""Of a spot notice's two minutes: for logs, message, clean-up and the terminate call."""


@dataclass
class _Following:
    """The words of one run of `run.sh`, as far as they have been read."""

    output: Tail
    diag_dir: Path
    conversation: Conversation = field(default_factory=Conversation)
    diags: dict[Path, Tail] = field(default_factory=dict)

    def read(self, *, final: bool = False) -> list[Said]:
        """What is new, folded into the conversation."""
        said = [parse_output(line.text) for line in self.output.read(final=final)]
        for path in sorted(self.diag_dir.glob("Runner_*.log")):
            tail = self.diags.setdefault(path, Tail(path))
            said += [parse_diag(line.text) for line in tail.read(final=final)]
        heard = [each for each in said if each is not None]
        for each in heard:
            self.conversation = self.conversation.then(each)
        return heard

    def read_to_the_end(self) -> None:
        while self.read():
            pass
        self.read(final=True)


def execute(
    run: RunContext,
    *,
    on_started: Callable[[], None],
    stop: threading.Event | None = None,
) -> Outcome:
    """Runs the job to its end, or to the first stop request and then at most the grace period.

    No process of the runner is left when this returns.

    Args:
        run: the run; its `stop` carries the request that ended the job early.
        on_started: called once `run.sh` has been told to run.
        stop: ends the job early too (the task's own time limit).

    Raises:
        RunnerDirError: `run.sh` cannot be started.
    """
    stop = stop or run.stop.event
    process, following = _start(run)
    on_started()
    watching = Watching(run)
    try:
        exit_code = _follow(run, process, following, watching, stop)
    finally:
        watching.stop()
        killed = process.kill_everything()
        run.journal.add(RunnerGone(run.journal.now()))
        event(log, "runner.gone", killed=killed)
    following.read_to_the_end()
    decided = _outcome(run, following.conversation, exit_code)
    return record_outcome(run, decided, watching.peaks)


def _start(run: RunContext) -> tuple[RunnerProcess, _Following]:
    settings = run.settings
    user = runner_user(settings.runner_user)
    output = run.spool.run
    following = _Following(
        Tail(output, offset=output.stat().st_size if output.exists() else 0),
        settings.runner_dir / "_diag",
    )
    process = start(
        run_command(),
        cwd=settings.runner_dir,
        env=environment(user, run.environment),
        user=user,
        output=output,
        clock=run.clock,
    )
    run.journal.add(
        RunnerStarted(
            run.journal.now(),
            pid=process.identity.pid,
            start_ticks=process.identity.start_ticks,
            total_seconds=run.seconds_since(run.began),
        )
    )
    event(log, "runner.started", pid=process.identity.pid, user=user.name)
    run.follow_runner_log(output)
    run.follow_diag()
    return process, following


def _follow(
    run: RunContext,
    process: RunnerProcess,
    following: _Following,
    watching: Watching,
    stop: threading.Event,
) -> int | None:
    """Reads until the runner has ended or must be stopped; its exit status, None when it had to be killed."""
    finished_at: float | None = None
    while True:
        exit_code = process.poll()
        for said in following.read():
            _hear(run, said, watching)
        if exit_code is not None:
            _await_orphans(run, process, following)
            return exit_code
        if following.conversation.restart_loop:
            warning(log, "runner.restart_loop", restarts=following.conversation.restarts)
            return None
        if following.conversation.job_result is not None:
            finished_at = finished_at or run.clock.monotonic()
            if run.seconds_since(finished_at) > AFTER_FINISH_SECONDS:
                warning(log, "runner.does_not_exit", seconds=AFTER_FINISH_SECONDS)
                return None
        if run.clock.wait(stop, LOOK_SECONDS):
            return _stop(run, process, following)


def _await_orphans(run: RunContext, process: RunnerProcess, following: _Following) -> None:
    """A worker outlives a listener that was killed, and may still finish its job and report it to GitHub."""
    following.read_to_the_end()
    conversation = following.conversation
    if conversation.job_seen and conversation.job_result is None and process.left():
        warning(log, "runner.worker_orphaned", waits_seconds=run.settings.grace_seconds)
        process.settle(run.settings.grace_seconds)


def _hear(run: RunContext, said: Said, watching: Watching) -> None:
    match said:
        case Listening():
            event(log, "runner.listening")
            watching.listening()
        case JobStarted(name=name):
            if run.progress.job_seen is None:
                run.journal.add(JobSeen(run.journal.now(), name=name))
            event(log, "job.started", name=name)
            watching.job_started()
        case Restarting():
            warning(log, "runner.restarting")
        case _:
            pass


def _stop(run: RunContext, process: RunnerProcess, following: _Following) -> int | None:
    request = run.stop.request
    grace = _grace_seconds(run, request)
    event(log, "runner.stopping", reason=request and request.reason, grace_seconds=grace)
    exit_code = process.stop(grace)
    following.read()
    event(log, "runner.stopped", exit_code=exit_code)
    return exit_code


def _grace_seconds(run: RunContext, request: StopRequest | None) -> float:
    grace = run.settings.grace_seconds
    if request is None or request.deadline_seconds is None:
        return grace
    return max(0.0, min(grace, request.deadline_seconds - SPOT_RESERVE_SECONDS))


def _outcome(run: RunContext, conversation: Conversation, exit_code: int | None) -> Outcome:
    left = bool(files.credentials_left(run.settings.runner_dir))
    by_words = outcome(conversation, exit_code, files_left=left)
    request = run.stop.request
    if request is None or (by_words.job_result not in _INTERRUPTED and exit_code == 0):
        return by_words
    return Outcome(
        request.reason,
        request.detail,
        job_result=by_words.job_result,
        job_name=by_words.job_name,
        exit_code=-1 if exit_code is None else exit_code,
    )


_INTERRUPTED = (JobResult.NONE, JobResult.UNKNOWN, JobResult.CANCELLED, JobResult.ABANDONED)
