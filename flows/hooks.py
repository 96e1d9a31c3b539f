"""The final terminate hook: registered for completed, failed, crashed and cancelled."""

import logging
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from agent.events import event
from agent.stages.end import finish
from flows.current import milestones, this_run

log = logging.getLogger(__name__)


def finish_what_is_owed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Pays what the journal says is still owed, the terminate call included; nothing where the flow paid it all."""
    if milestones().given_up.is_set():
        return
    event(log, "flow.over", flow=flow.name, flow_run=flow_run.name, state=state.type.value)
    finish(this_run())
