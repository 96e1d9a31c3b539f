"""The Prefect flow: the pipeline with its tasks as task runs, and the final terminate hook."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed, Failed

from agent.outcome import Outcome, Reason
from flows.artifacts import Artifacts
from flows.current import milestones, this_run
from flows.hooks import finish_what_is_owed
from flows.pipeline import take_through
from flows.signals import stop_on_signals
from tasks.calling import orchestrated


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
    if milestones().given_up.is_set():
        return Cancelled(message="Prefect came too late: the job runs without it")
    stop_on_signals(run.stop)
    artifacts = Artifacts(run)
    artifacts.begin()
    milestones().begun.set()
    if get_current_settings().logging.to_api.enabled:
        # For whoever wants it: nobody else waits for this import.
        from flows.run_log import show_lines

        show_lines(run.redactor)
    outcome = await take_through(run, orchestrated)
    milestones().over.set()
    await artifacts.finish()
    return _state(
        outcome, run.redactor.mask(f"{outcome.reason}: {outcome.sentence or outcome.job_result}")
    )


def _state(outcome: Outcome, message: str) -> State[Any]:
    made = Completed if outcome.reason is Reason.JOB_SERVED else Failed
    return made(message=message)
