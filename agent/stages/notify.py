"""Tells the orchestrator over SQS: `started`, then exactly one final message (contract section 5)."""

import logging
from datetime import datetime

from agent import __version__
from agent.errors import AgentError
from agent.events import event, warning
from agent.journal.facts import MessageGivenUp, MessageSent
from agent.journal.progress import Progress
from agent.logs.diag_upload import UPLOADS, Upload
from agent.messages.job_status import JobStatus
from agent.messages.sqs import Queue
from agent.outcome import Reason, Status
from agent.stages.context import RunContext
from agent.stages.record import outcome_of

log = logging.getLogger(__name__)


def notify(run: RunContext, status: Status) -> bool:
    """Sends `started`, or the final message with whatever status it has; false when there is no queue to send to.

    Sent once: the journal is asked first, and a FIFO queue gets the same deduplication id on every try.

    Raises:
        AwsError: SQS refused or could not be reached.
    """
    progress = run.progress
    started = status is Status.STARTED
    if (progress.started_message if started else progress.final_message) is not None:
        return True
    if started and progress.ended is not None:
        # Whoever was told the end must not be told afterwards that it begins.
        return False
    url = queue_url(run)
    if not url:
        warning(
            log,
            "message.no_queue",
            status=status,
            mend="set RUNS_FLEET_TERMINATION_QUEUE_URL, or termination_queue_url in the runner config",
        )
        if not started:
            run.journal.add(MessageGivenUp(run.journal.now(), error="no queue is known"))
        return False
    message = started_message(run) if started else final_message(run)
    which = "started" if started else "final"
    job = message.job_id or message.run_id or ""
    key = f"{run.instance_id}/{job}/{which}"
    message_id = Queue(run.clients.get("sqs"), url).send(message, deduplication_key=key)
    run.journal.add(MessageSent(run.journal.now(), status=message.status, message_id=message_id))
    event(log, "message.sent", status=message.status, message_id=message_id)
    return True


def give_up(run: RunContext, error: BaseException) -> None:
    """Says that the final message could not be queued, and puts it into the log instead."""
    if run.progress.final_message is not None:
        return
    detail = str(error) if isinstance(error, AgentError) else repr(error)
    warning(log, "message.not_sent", error=detail, message=final_message(run).to_json())
    run.journal.add(MessageGivenUp(run.journal.now(), error=detail))


def queue_url(run: RunContext) -> str:
    """Where messages go: the variable wins over the runner config; empty when neither names a queue."""
    config = run.progress.config
    return run.settings.termination_queue_url or (config.queue_url if config else "")


def started_message(run: RunContext) -> JobStatus:
    """Says that the runner has been told to run."""
    progress = run.progress
    return JobStatus(
        status=Status.STARTED,
        exit_code=0,
        duration_seconds=0,
        started_at=_started_at(progress),
        **_identity(run),
        **_bootstrap(progress),
    )


def final_message(run: RunContext) -> JobStatus:
    """Says how the run ended, from the journal alone."""
    progress = run.progress
    outcome = outcome_of(progress)
    ended = progress.ended
    completed_at = ended.at if ended else run.journal.now()
    started_at = _started_at(progress)
    good = outcome.reason is Reason.JOB_SERVED
    return JobStatus(
        status=outcome.status,
        exit_code=outcome.exit_code,
        duration_seconds=_seconds_between(started_at, completed_at),
        started_at=started_at,
        completed_at=completed_at,
        error=None if good else outcome.sentence,
        interrupted_by=outcome.reason if outcome.status is Status.INTERRUPTED else None,
        job_result=outcome.job_result,
        job_name=outcome.job_name or None,
        reason=outcome.reason,
        log_group=run.settings.log_group or None,
        log_stream=run.runner_stream if run.settings.log_group else None,
        log_upload=_upload(progress),
        peak_memory_mb=ended.peak_memory_mb if ended else None,
        min_disk_free_mb=ended.min_disk_free_mb if ended else None,
        oom_kills=ended.oom_kills if ended else None,
        **_identity(run),
        **_bootstrap(progress),
    )


def _upload(progress: Progress) -> Upload | None:
    flushed = progress.logs_flushed
    return UPLOADS.get(flushed.upload) if flushed else None


def _identity(run: RunContext) -> dict[str, str | None]:
    progress = run.progress
    config, placed = progress.config, progress.placed
    return {
        "instance_id": run.instance_id,
        "job_id": config.job_id if config else "",
        "run_id": config.run_id if config else None,
        "repo": config.repo if config else None,
        "runner_name": config.runner_name if config else None,
        "agent_version": __version__,
        "runner_version": placed.version if placed else None,
    }


def _bootstrap(progress: Progress) -> dict[str, float | None]:
    began, config = progress.began, progress.config
    placed, registered, started = progress.placed, progress.registered, progress.runner_started
    return {
        "bootstrap_boot_seconds": began.boot_seconds if began else None,
        "bootstrap_config_seconds": config.seconds if config else None,
        "bootstrap_runner_seconds": placed.seconds if placed else None,
        "bootstrap_register_seconds": registered.seconds if registered else None,
        "bootstrap_total_seconds": started.total_seconds if started else None,
    }


def _started_at(progress: Progress) -> str | None:
    """When the runner was told to run; before that, when the agent began."""
    fact = progress.runner_started or progress.began
    return fact.at if fact else None


def _seconds_between(earlier: str | None, later: str) -> int:
    if earlier is None:
        return 0
    span = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return max(0, round(span.total_seconds()))
