"""Runs the one job: starts `run.sh`, or takes over one that is at work, follows what the runner says, watches the machine."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.events import event, warning
from agent.journal.facts import JobSeen, RunnerGone, RunnerStarted
from agent.outcome import Outcome, Reason
from agent.runner.commands import environment, run_command
from agent.runner.hangs import Hang, Hangs, Limits
from agent.runner.process import ProcessIdentity, RunnerProcess, attach, find_running
from agent.runner.says import JobStarted, Listening, Restarting, Said
from agent.runner.start import start
from agent.runner.user import runner_user
from agent.stages.context import RunContext
from agent.stages.follow import Following, conclude
from agent.stages.record import outcome_of, record_outcome
from agent.stages.stop_runner import stop_once
from agent.stages.watch import Watching

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""How often the runner's words are read; a stop request is seen at once."""
LOOK_AT_JOB_SECONDS = 1.0
"""While a job runs: six hours of looking are to cost next to nothing, and the end of `run.sh` wakes whoever looks."""


def execute(
    run: RunContext,
    *,
    on_started: Callable[[], None],
    stop: threading.Event | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Runs the job to its end, or to the first stop request and then at most the grace period.

    A job runs once: one that an earlier life of the agent started is taken over where it stands, and one that ended meanwhile
    is only concluded. No process of the runner is left when this returns.

    Args:
        run: the run; its `stop` carries the request that ended the job early.
        on_started: called once `run.sh` has been told to run.
        stop: ends the job early too (the task's own time limit).
        limits: of a runner that hangs.

    Raises:
        RunnerDirError: `run.sh` cannot be started.
    """
    if run.progress.ended is not None:
        return outcome_of(run.progress)
    process = _at_work(run)
    if process is None and not _has_run(run):
        if (request := run.stop.request) is not None:
            return record_outcome(run, Outcome(request.reason, request.detail, exit_code=-1))
        process = _start(run)
    following = Following.of(run)
    _ship(run)
    on_started()
    ending = _Ending(None)
    watching = Watching(run, already_seconds=_already_seconds(run))
    try:
        if process is not None:
            hangs = Hangs(run.clock, process.has_worker, limits or Limits())
            ending = _follow(_Followed(run, process, following, watching, hangs), stop)
    finally:
        watching.stop()
        if process is not None:
            _see_it_gone(run, process)
    outcome = conclude(run, following, ending.exit_code, ending.hang)
    return record_outcome(run, outcome, watching.peaks)


def _at_work(run: RunContext) -> RunnerProcess | None:
    """The runner that an earlier life of the agent started; None when there is none, as far as /proc and the journal know."""
    started, runner_dir = run.progress.runner_started, run.settings.runner_dir
    uid = runner_user(run.settings.runner_user).uid
    if started is not None:
        identity: ProcessIdentity | None = ProcessIdentity(started.pid, started.start_ticks)
    else:
        identity = find_running(runner_dir, uid=uid)
    if identity is None:
        return None
    process = attach(identity, runner_dir=runner_dir, clock=run.clock, uid=uid)
    event(log, "runner.taken_over", pid=identity.pid, left=len(process.left()))
    _note_started(run, identity)
    return process


def _has_run(run: RunContext) -> bool:
    """Whether `run.sh` has ever said a word on this instance: then a second one would only meet the first one's session."""
    try:
        return run.progress.runner_started is not None or run.spool.run.stat().st_size > 0
    except OSError:
        return False


def _start(run: RunContext) -> RunnerProcess:
    settings = run.settings
    user = runner_user(settings.runner_user)
    if run.closed_off is not None:
        run.closed_off.wait()
    process = start(
        run_command(),
        cwd=settings.runner_dir,
        env=environment(user, run.environment),
        user=replace(user, max_processes=settings.job_max_processes),
        output=run.spool.run,
        clock=run.clock,
    )
    _note_started(run, process.identity)
    started = run.progress.runner_started
    seconds = started.total_seconds if started else None
    event(log, "runner.started", pid=process.identity.pid, user=user.name, seconds=seconds)
    return process


def _note_started(run: RunContext, identity: ProcessIdentity) -> None:
    if run.progress.runner_started is None:
        run.journal.add(
            RunnerStarted(
                run.journal.now(),
                pid=identity.pid,
                start_ticks=identity.start_ticks,
                total_seconds=run.seconds_since(run.began),
                monotonic=run.clock.monotonic(),
            )
        )


def _ship(run: RunContext) -> None:
    run.follow_runner_log(run.spool.config)
    run.follow_runner_log(run.spool.run)
    run.follow_diag()


def _already_seconds(run: RunContext) -> float:
    started = run.progress.runner_started
    return max(0.0, run.clock.monotonic() - started.monotonic) if started else 0.0


def _see_it_gone(run: RunContext, process: RunnerProcess) -> None:
    killed = process.kill_everything()
    run.journal.add(RunnerGone(run.journal.now()))
    event(log, "runner.gone", killed=killed)


@dataclass(frozen=True, slots=True)
class _Followed:
    """One runner at work, and everything that looks at it."""

    run: RunContext
    process: RunnerProcess
    following: Following
    watching: Watching
    hangs: Hangs


@dataclass(frozen=True, slots=True)
class _Ending:
    exit_code: int | None
    """Of `run.sh`; None when it had to be killed, or is not known."""
    hang: Hang | None = None


def _follow(followed: _Followed, stop: threading.Event | None) -> _Ending:
    """Reads until the runner has ended or must be stopped."""
    run, process = followed.run, followed.process
    woken = run.stop.linked()
    process.call_at_exit(woken.set)
    try:
        while (ending := _look(followed)) is None:
            job = followed.following.conversation.job_seen
            run.clock.wait(woken, LOOK_AT_JOB_SECONDS if job else LOOK_SECONDS)
            woken.clear()
            if run.stop.asked or (stop is not None and stop.is_set()):
                return _Ending(stop_once(run, process))
        return ending
    finally:
        run.stop.unlink(woken)


def _look(followed: _Followed) -> _Ending | None:
    """Takes in what is new; None while the runner goes on."""
    run, process, following = followed.run, followed.process, followed.following
    ended = not process.alive()
    for said in following.read():
        _hear(run, said, followed.watching)
    if ended:
        _await_orphans(run, process, following)
        return _Ending(process.poll())
    if following.conversation.restart_loop:
        warning(log, "runner.restart_loop", restarts=following.conversation.restarts)
        return _Ending(None)
    if (hang := followed.hangs.check(following.conversation)) is not None:
        warning(log, "runner.hangs", reason=hang.reason, detail=hang.detail)
        served = hang.reason is Reason.RUNNER_HUNG
        return _Ending(None if served else stop_once(run, process), hang)
    return None


def _await_orphans(run: RunContext, process: RunnerProcess, following: Following) -> None:
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
