from collections.abc import Callable

from prefect import task
from prefect.cache_policies import NO_CACHE

from agent.outcome import Outcome
from agent.settings import Settings
from agent.stages import execute as stage
from agent.stages.context import RunContext
from tasks.policy import stoppable

BEYOND_SECONDS = 60


def limit_seconds(settings: Settings) -> float:
    """Max runtime, the grace period, and a minute: the watcher stops a job long before this does."""
    return settings.max_runtime_minutes * 60 + settings.grace_seconds + BEYOND_SECONDS


# No retries: a job runs once. The flow sets the time limit with `limit_seconds`.
@task(
    name="execute",
    task_run_name="execute on {run.runner_name}",
    timeout_seconds=360 * 60 + 90 + BEYOND_SECONDS,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def execute(run: RunContext, on_started: Callable[[], None]) -> Outcome:
    """Runs the job; `on_started` is called from a thread once the runner has been told to run."""
    return await stoppable(run, lambda stop: stage.execute(run, on_started=on_started, stop=stop))
