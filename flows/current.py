"""The one run of this process, opened once and found again by the flow and by its hooks."""

import asyncio
import functools
import os
from dataclasses import dataclass, field

from agent.settings import Settings
from agent.stages.context import RunContext, open_run


@functools.cache
def this_run() -> RunContext:
    """The run that the environment describes.

    Raises:
        SettingsError: a variable cannot be used, or nobody knows which instance this is.
    """
    return open_run(os.environ, Settings.from_environment(os.environ))


@dataclass(frozen=True, slots=True)
class Milestones:
    """What the flow tells whoever waits for it outside Prefect's engine."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Prefect has let the pipeline begin."""
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody waits for Prefect any more: it must not begin a second pipeline beside the one that runs without it."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The pipeline has come to its end; what Prefect still does then delays nobody."""


@functools.cache
def milestones() -> Milestones:
    return Milestones()
