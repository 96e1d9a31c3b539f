from prefect import task
from prefect.cache_policies import NO_CACHE

from agent.stages import verify as stage
from agent.stages.context import RunContext
from agent.stages.download import StagedRunner
from tasks.policy import in_thread


# No retries: a mismatch is answered by one download from the other source, in the flow.
@task(
    name="verify",
    task_run_name="verify runner {staged.release.version} from {staged.source}",
    timeout_seconds=60,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def verify(run: RunContext, staged: StagedRunner) -> StagedRunner:
    """Checks digest and layout, then puts the runner in its place."""
    return await in_thread(run, lambda: stage.verify(run, staged))
