"""Ends this instance."""

import logging

from agent.deadline import Deadline
from agent.events import event, warning
from agent.instance.power import power_off
from agent.instance.terminate import terminate as call_terminate
from agent.journal.facts import TerminateCalled
from agent.stages.context import RunContext

log = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 2.0
"""For the agent's own last lines, before nobody is left to send them."""


def terminate(run: RunContext) -> None:
    """Sends the agent's last words, then calls TerminateInstances for this instance and no other.

    Raises:
        AwsError: EC2 refused or could not be reached.
    """
    if run.progress.terminated is not None:
        return
    how = "dry_run" if run.settings.dry_run else "terminate_instances"
    if run.settings.dry_run:
        warning(log, "instance.DRY_RUN_NOT_TERMINATED", instance_id=run.instance_id)
    else:
        event(log, "instance.terminate", instance_id=run.instance_id)
    if not run.last_words_sent:
        run.last_words_sent = True
        run.shipper.flush(Deadline.after(run.clock, LAST_WORDS_SECONDS), final=True)
    if not run.settings.dry_run:
        call_terminate(run.clients.get("ec2"), run.instance_id)
    run.journal.add(TerminateCalled(run.journal.now(), how=how))


def last_resort(run: RunContext, error: BaseException) -> bool:
    """Powers the machine off when it cannot be terminated; true when that was done."""
    if run.progress.terminated is not None:
        return True
    warning(log, "instance.not_terminated", instance_id=run.instance_id, error=error)
    if run.settings.dry_run or not power_off(run.settings.power_off_command):
        return False
    run.journal.add(TerminateCalled(run.journal.now(), how="power_off"))
    return True
