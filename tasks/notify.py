from prefect import task
from prefect.cache_policies import NO_CACHE

from agent.outcome import Status
from agent.stages import notify as stage
from agent.stages.context import RunContext
from tasks.policy import JITTER, in_thread, when_transient


# Delays 0.2, 0.4, 0.8, 1.6, 3.2 s: all within the limit that the flow sets (10 s) when the tries fail fast.
@task(
    name="notify",
    task_run_name="notify {kind}",
    retries=5,
    retry_delay_seconds=[0.2, 0.4, 0.8, 1.6, 3.2],
    retry_jitter_factor=JITTER,
    retry_condition_fn=when_transient,
    timeout_seconds=10,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def notify(run: RunContext, kind: str) -> bool:
    """Sends the `started` or the `final` message."""
    status = Status.STARTED if kind == "started" else Status.FAILURE
    return await in_thread(run, lambda: stage.notify(run, status))
