"""How an instance is taken through one job.

Fetch the config and download beside each other, verify, register, execute (and tell that it started), tell how it ended, clean
up, terminate.

What an earlier life of the agent has done is in the journal, and every stage asks it first: a pipeline that is run again goes on
where the last one died.
"""

import asyncio

from agent.deadline import Deadline
from agent.errors import DigestMismatch, DownloadError
from agent.outcome import Outcome
from agent.parameters.runner_config import RunnerConfig
from agent.stages.context import RunContext
from agent.stages.download import Source, StagedRunner
from agent.stages.record import outcome_of_error, record_outcome
from agent.stages.watch import watching_spot
from flows.beside import Beside
from flows.ending import end_instance
from tasks.calling import Call
from tasks.download import download
from tasks.execute import execute, limit_seconds
from tasks.fetch_config import fetch_config
from tasks.register import register
from tasks.verify import verify

CONFIG_FOR_THE_MESSAGE_SECONDS = 10.0
"""When the runner cannot be had, the config may still come: it names the job and the queue to tell it to."""
READ_SECONDS = 30.0


async def take_through(run: RunContext, call: Call) -> Outcome:
    """One job, and the end of the instance whatever happened."""
    beside = Beside(run, call)
    try:
        with watching_spot(run):
            outcome = await serve(run, beside, call)
    except Exception as exc:  # noqa: BLE001 - every failure is an outcome, and the end comes all the same
        outcome = outcome_of_error(run, exc)
    outcome = record_outcome(run, outcome)
    await end_instance(run, beside, call)
    return outcome


async def serve(run: RunContext, beside: Beside, call: Call) -> Outcome:
    """From nothing, or from wherever an earlier life of the agent had come, to a job's outcome."""
    if run.progress.runner_started is None:
        config, staged = await get_ready(run, call)
        beside.fill_cache(staged)
        await call(register, run, config)
    job = execute.with_options(timeout_seconds=limit_seconds(run.settings))
    return await call(job, run, beside.once_started())


async def get_ready(run: RunContext, call: Call) -> tuple[RunnerConfig, StagedRunner]:
    """The config and the verified runner; what fails first ends the other."""
    deadline = standby_deadline(run)
    fetch = fetch_config.with_options(timeout_seconds=deadline.remaining() + READ_SECONDS)
    config = asyncio.ensure_future(call(fetch, run, deadline))
    runner = asyncio.ensure_future(place_runner(run, call))
    both = {config, runner}
    await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
    if not config.done():
        await asyncio.wait({config}, timeout=CONFIG_FOR_THE_MESSAGE_SECONDS)
    for unfinished in both:
        unfinished.cancel()
    await asyncio.wait(both)
    for task in (runner, config):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return config.result(), runner.result()


def standby_deadline(run: RunContext) -> Deadline:
    """Counted from the first life of the agent: one that dies again and again is no reason to wait longer."""
    began, wait = run.progress.began, run.settings.standby_deadline_minutes * 60
    return Deadline(run.clock, (began.monotonic if began else run.clock.monotonic()) + wait)


async def place_runner(run: RunContext, call: Call) -> StagedRunner:
    """A verified runner in its place; a wrong archive is answered by one download from the other source."""
    staged = await call(download, run)
    try:
        return await call(verify, run, staged)
    except DigestMismatch as mismatch:
        other = Source.GITHUB if staged.source is Source.CACHE else Source.CACHE
        try:
            again = await call(download, run, only=other)
        except DownloadError:
            raise mismatch from None
        return await call(verify, run, again)
