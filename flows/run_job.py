"""The Prefect flow: the pipeline with its tasks as task runs, and the final terminate hook."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from agent.outcome import Outcome, Reason
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
    stop_on_signals(run.stop)
    milestones().begun.set()
    outcome = await take_through(run, orchestrated)
    milestones().over.set()
    return _state(outcome)


def _state(outcome: Outcome) -> State[Any]:
    message = f"{outcome.reason}: {outcome.detail or outcome.job_result}"
    made = Completed if outcome.reason is Reason.JOB_SERVED else Failed
    return made(message=message)
