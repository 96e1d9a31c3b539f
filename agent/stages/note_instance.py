"""Notes once what EC2 says of this instance: account, type and zone, for whoever reads of the run later."""

import logging

from agent.events import event
from agent.journal.facts import InstanceKnown
from agent.stages.context import RunContext

log = logging.getLogger(__name__)


def note_instance(run: RunContext) -> None:
    """Asks IMDS, in two seconds at most; nothing where it does not answer."""
    if run.progress.instance is not None:
        return
    seen = run.metadata.identity()
    if seen is None:
        return
    run.journal.add(
        InstanceKnown(
            run.journal.now(),
            account_id=seen.account_id,
            instance_type=seen.instance_type,
            zone=seen.zone,
        )
    )
    event(
        log,
        "instance.known",
        account_id=seen.account_id or None,
        instance_type=seen.instance_type or None,
        zone=seen.zone or None,
    )
