from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from agent.deadline import Deadline
from agent.stages import download as stage
from agent.stages import verify as verify_stage
from agent.stages.context import RunContext
from agent.stages.download import Source, StagedRunner
from tasks.policy import JITTER, in_thread, stoppable, when_transient

TIMEOUT_SECONDS = 300


# Delays 1, 2, 4 s.
@task(
    name="download",
    task_run_name="download runner {run.settings.runner_version} ({run.architecture})",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=JITTER,
    retry_condition_fn=when_transient,
    timeout_seconds=TIMEOUT_SECONDS,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def download(run: RunContext, only: Source | None = None) -> StagedRunner:
    """Gets the runner from the disk, the S3 cache or GitHub into a staging directory."""
    deadline = Deadline.after(run.clock, TIMEOUT_SECONDS - 5)
    return await stoppable(
        run, lambda stop: stage.download(run, deadline=deadline, only=only, stop=stop)
    )


@task(
    name="fill_cache",
    task_run_name="fill cache with {staged.release.version}",
    timeout_seconds=TIMEOUT_SECONDS,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def fill_cache(run: RunContext, staged: StagedRunner) -> bool:
    """Puts a fresh download into the S3 cache, off the critical path."""
    return await in_thread(run, lambda: verify_stage.fill_cache(run, staged))
