"""Turns an outcome, or whatever went wrong, into the journal's `ended` fact and back."""

import logging
import traceback

from agent.errors import AgentError, Interrupted, one_line
from agent.events import event
from agent.journal.facts import Ended
from agent.journal.progress import Progress
from agent.outcome import JobResult, Outcome, Reason
from agent.stages.context import RunContext
from agent.stages.watch import Peaks

log = logging.getLogger(__name__)

CRASHED = Outcome(
    Reason.AGENT_CRASHED,
    "the agent's flow ended without saying how",
    job_result=JobResult.UNKNOWN,
    exit_code=-1,
)


def record_outcome(run: RunContext, outcome: Outcome, peaks: Peaks | None = None) -> Outcome:
    """Writes the outcome into the journal, unless one is there already; returns the one that counts."""
    if run.progress.ended is None:
        peaks = peaks or Peaks()
        run.journal.add(
            Ended(
                run.journal.now(),
                reason=outcome.reason,
                detail=run.redactor.mask(one_line(outcome.detail)),
                job_result=outcome.job_result,
                job_name=outcome.job_name,
                exit_code=outcome.exit_code,
                peak_memory_mb=peaks.memory_mb,
                min_disk_free_mb=peaks.disk_free_mb,
                oom_kills=peaks.oom_kills,
                monotonic=run.clock.monotonic(),
                mend=run.redactor.mask(one_line(outcome.next_step)),
            )
        )
        event(
            log,
            "run.ended",
            reason=outcome.reason,
            status=outcome.status,
            job_result=outcome.job_result,
            job_name=outcome.job_name or None,
            exit_code=outcome.exit_code,
            peak_memory_mb=peaks.memory_mb,
            min_disk_free_mb=peaks.disk_free_mb,
            oom_kills=peaks.oom_kills,
            detail=outcome.detail or None,
            mend=outcome.next_step or None,
        )
    return outcome_of(run.progress)


def outcome_of(progress: Progress) -> Outcome:
    """The outcome that the journal holds; without one the agent has crashed."""
    ended = progress.ended
    if ended is None:
        seen = progress.job_seen
        return Outcome(
            CRASHED.reason,
            CRASHED.detail,
            job_result=CRASHED.job_result if seen else JobResult.NONE,
            job_name=seen.name if seen else "",
            exit_code=-1,
        )
    try:
        return Outcome(
            Reason(ended.reason),
            ended.detail,
            ended.mend,
            job_result=JobResult(ended.job_result),
            job_name=ended.job_name,
            exit_code=ended.exit_code,
        )
    except ValueError:
        return CRASHED


def outcome_of_error(run: RunContext, error: BaseException) -> Outcome:
    """What an error means for the run: a named one carries its own reason, any other is a crash with its stack trace."""
    if isinstance(error, AgentError):
        request = run.stop.request
        if request is not None and run.progress.runner_started is None:
            return Outcome(request.reason, request.detail, exit_code=-1)
        mend = "" if isinstance(error, Interrupted) else error.mend
        return Outcome(error.reason, error.what, mend, exit_code=-1)
    if isinstance(error, TimeoutError):
        return Outcome(
            Reason.STAGE_TIMEOUT, str(error) or "a stage did not end within its limit", exit_code=-1
        )
    text = "".join(traceback.format_exception(error))
    log.error("agent.crashed %s", text)
    return Outcome(
        Reason.AGENT_CRASHED,
        f"{type(error).__name__}: {error}",
        job_result=JobResult.UNKNOWN if run.progress.job_seen else JobResult.NONE,
        exit_code=-1,
    )
