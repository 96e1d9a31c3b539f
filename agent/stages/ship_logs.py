"""Sends what has been said so far to CloudWatch, within a time limit."""

import logging

from agent.deadline import Deadline
from agent.events import event, warning
from agent.journal.facts import LogsFlushed
from agent.stages.context import RunContext

log = logging.getLogger(__name__)


def ship_logs(run: RunContext, *, deadline: Deadline) -> bool:
    """Flushes every stream to its last line; true when CloudWatch has it all. What it would not take stays in the spool."""
    if run.progress.logs_flushed is not None:
        return run.progress.logs_flushed.complete
    run.shipper.start()
    flushed = run.shipper.flush(deadline, final=True)
    if flushed.complete:
        event(log, "logs.shipped")
    else:
        warning(
            log, "logs.left_in_the_spool", lines=flushed.unsent_lines, where=run.spool.agent.parent
        )
    run.journal.add(LogsFlushed(run.journal.now(), complete=flushed.complete))
    return flushed.complete
