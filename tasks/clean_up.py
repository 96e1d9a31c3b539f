from prefect import task
from prefect.cache_policies import NO_CACHE

from agent.deadline import Deadline
from agent.stages import clean_up as stage
from agent.stages.context import RunContext
from tasks.policy import in_thread


@task(
    name="clean_up",
    task_run_name="clean up {run.settings.runner_dir}",
    retries=2,
    retry_delay_seconds=0.5,
    timeout_seconds=30,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def clean_up(run: RunContext, deadline: Deadline) -> int:
    """Leaves nothing of the runner behind."""
    return await in_thread(run, lambda: stage.clean_up(run, deadline=deadline))
