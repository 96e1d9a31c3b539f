from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from agent.parameters.runner_config import RunnerConfig
from agent.stages import register as stage
from agent.stages.context import RunContext
from tasks.policy import JITTER, stoppable, when_transient


# Delays 2, 4, 8 s.
@task(
    name="register",
    task_run_name="register {run.runner_name}",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=JITTER,
    retry_condition_fn=when_transient,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def register(run: RunContext, config: RunnerConfig) -> None:
    """Makes the runner one that GitHub knows."""
    await stoppable(run, lambda stop: stage.register(run, config, stop=stop))
