"""SIGTERM and SIGINT ask for the stop; the flow goes on as it likes."""

import asyncio
import logging
import signal

from agent.events import event
from agent.outcome import Reason
from agent.stop import Stop, StopRequest

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals(stop: Stop) -> None:
    """From now on a stop signal is a request and kills nothing, not even the end itself.

    Needs the main thread's running loop. Prefect's engine puts a handler of its own in place when a flow begins, so this is
    called again inside the flow.
    """
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _ask, stop, number)


def _ask(stop: Stop, number: signal.Signals) -> None:
    first = stop.ask(StopRequest(Reason.STOP_SIGNAL, f"the agent received {number.name}"))
    event(log, "stop.asked", signal=number.name, first=first)
