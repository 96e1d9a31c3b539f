"""The one run of this process, opened once and found again by the flow and by its hooks."""

import functools
import os

from agent.settings import Settings
from agent.stages.context import RunContext, open_run


@functools.cache
def this_run() -> RunContext:
    """The run that the environment describes.

    Raises:
        SettingsError: a variable cannot be used, or nobody knows which instance this is.
    """
    return open_run(os.environ, Settings.from_environment(os.environ))
