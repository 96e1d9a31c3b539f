from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from agent.deadline import Deadline
from agent.parameters.runner_config import RunnerConfig
from agent.stages import fetch_config as stage
from agent.stages.context import RunContext
from tasks.policy import JITTER, in_thread, stoppable, when_transient


# Delays 1, 2, 4 s. One read takes under 30 s; the flow lengthens the limit by the wait for the parameter.
@task(
    name="fetch_config",
    task_run_name="fetch config of {run.instance_id}",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=JITTER,
    retry_condition_fn=when_transient,
    timeout_seconds=30,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def fetch_config(run: RunContext, deadline: Deadline) -> RunnerConfig:
    """Reads the runner config from SSM, waiting for it up to the standby deadline."""
    return await stoppable(run, lambda stop: stage.fetch_config(run, deadline=deadline, stop=stop))


@task(
    name="delete_parameters",
    task_run_name="delete config of {run.instance_id}",
    timeout_seconds=60,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def delete_parameters(run: RunContext) -> bool:
    """Deletes the SSM parameters once the runner runs; best effort."""
    return await in_thread(run, lambda: stage.delete_parameters(run))
