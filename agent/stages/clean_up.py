"""Leaves nothing of the runner behind: no process, no file, no parameter (contract section 7)."""

import logging

from agent.archive.staging import sweep_leftovers
from agent.deadline import Deadline
from agent.errors import RunnerDirError
from agent.events import event, warning
from agent.journal.facts import CleanedUp
from agent.runner.removal import remove_runner
from agent.stages.context import RunContext
from agent.stages.fetch_config import delete_parameters

log = logging.getLogger(__name__)


def clean_up(run: RunContext, *, deadline: Deadline) -> int:
    """Removes the runner directory with `_work`, and the SSM parameters where they are still there.

    Returns how many files could not be removed; best effort, bounded by the deadline.
    """
    if run.progress.cleaned_up is not None:
        return run.progress.cleaned_up.left
    if run.progress.config is not None:
        delete_parameters(run)
    try:
        left = remove_runner(run.settings.runner_dir, deadline=deadline)
    except RunnerDirError as exc:
        warning(log, "clean_up.refused", error=exc)
        left = 1
    # Last: in the runner's directory, which is gone by now, a job may have left what only looks like a staging.
    sweep_leftovers(run.settings.runner_dir)
    run.journal.add(CleanedUp(run.journal.now(), left=left))
    event(log, "clean_up.complete", left=left)
    return left
