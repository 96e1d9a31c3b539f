"""Takes this instance through one job.

Fetch the config and download beside each other, verify, register, execute (and tell that it started), tell how it ended, clean
up, terminate.
"""

import asyncio
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from agent.deadline import Deadline
from agent.errors import DigestMismatch, DownloadError
from agent.outcome import Outcome, Reason
from agent.parameters.runner_config import RunnerConfig
from agent.stages.context import RunContext
from agent.stages.download import Source, StagedRunner
from agent.stages.record import outcome_of_error, record_outcome
from flows.beside import Beside
from flows.current import this_run
from flows.ending import end_instance
from flows.hooks import finish_what_is_owed
from flows.signals import stop_on_signals
from tasks.download import download
from tasks.execute import execute, limit_seconds
from tasks.fetch_config import fetch_config
from tasks.register import register
from tasks.verify import verify

CONFIG_FOR_THE_MESSAGE_SECONDS = 10.0
"""When the runner cannot be had, the config may still come: it names the job and the queue to tell it to."""
READ_SECONDS = 30.0


@flow(
    name="run_job",
    flow_run_name=lambda: f"job on {this_run().instance_id}",
    on_completion=[finish_what_is_owed],
    on_failure=[finish_what_is_owed],
    on_crashed=[finish_what_is_owed],
    on_cancellation=[finish_what_is_owed],
    persist_result=False,
)
async def run_job() -> State[Any]:
    """One job, and the end of the instance whatever happened."""
    run = this_run()
    stop_on_signals(run.stop)
    beside = Beside(run)
    try:
        outcome = await serve(run, beside)
    except Exception as exc:  # noqa: BLE001 - every failure is an outcome, and the end comes all the same
        outcome = outcome_of_error(run, exc)
    outcome = record_outcome(run, outcome)
    await end_instance(run, beside)
    return _state(outcome)


async def serve(run: RunContext, beside: "Beside") -> Outcome:
    """From nothing to a job's outcome."""
    config, staged = await get_ready(run)
    beside.fill_cache(staged)
    await register(run, config)
    job = execute.with_options(timeout_seconds=limit_seconds(run.settings))
    return await job(run, beside.once_started())


async def get_ready(run: RunContext) -> tuple[RunnerConfig, StagedRunner]:
    """The config and the verified runner; what fails first ends the other."""
    wait_seconds = run.settings.standby_deadline_minutes * 60
    deadline = Deadline.after(run.clock, wait_seconds)
    fetch = fetch_config.with_options(timeout_seconds=wait_seconds + READ_SECONDS)
    config = asyncio.ensure_future(fetch(run, deadline))
    runner = asyncio.ensure_future(place_runner(run))
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


async def place_runner(run: RunContext) -> StagedRunner:
    """A verified runner in its place; a wrong archive is answered by one download from the other source."""
    staged = await download(run)
    try:
        return await verify(run, staged)
    except DigestMismatch as mismatch:
        other = Source.GITHUB if staged.source is Source.CACHE else Source.CACHE
        try:
            again = await download(run, only=other)
        except DownloadError:
            raise mismatch from None
        return await verify(run, again)


def _state(outcome: Outcome) -> State[Any]:
    message = f"{outcome.reason}: {outcome.detail or outcome.job_result}"
    made = Completed if outcome.reason is Reason.JOB_SERVED else Failed
    return made(message=message)
