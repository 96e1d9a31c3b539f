from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from agent.stages import terminate as stage
from agent.stages.context import RunContext
from tasks.policy import JITTER, in_thread, when_transient


# Delays 0.5, 1, 2, 4, 8 s; a refusal is final here, and answered by the flow's last hook.
@task(
    name="terminate",
    task_run_name="terminate {run.instance_id}",
    retries=5,
    retry_delay_seconds=exponential_backoff(backoff_factor=0.5),
    retry_jitter_factor=JITTER,
    retry_condition_fn=when_transient,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def terminate(run: RunContext) -> None:
    """Ends this instance."""
    await in_thread(run, lambda: stage.terminate(run))
