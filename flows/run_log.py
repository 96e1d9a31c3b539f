"""The agent's own lines on the page of its flow run, where that was asked for: masked, and out of everybody's way.

Prefect's own way of log lines to its server goes past the redactor, so that it is taken away always. What
`PREFECT_LOGGING_TO_API_ENABLED` asks for is done here instead, with the same worker of Prefect's behind it: it gathers lines and
sends them from a thread of its own. A server that does not take them costs the lines and nothing else.
"""

import logging
from uuid import UUID

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler

from agent.logs.agent_log import RAW, message_of
from agent.redact import Redactor


class RunLog(logging.Handler):
    """Hands each line to Prefect's own handler, masked, with the flow run and the task run that it belongs to."""

    def __init__(self, flow_run_id: UUID, redactor: Redactor) -> None:
        """Sends nothing before the first line."""
        super().__init__()
        self._flow_run_id = flow_run_id
        self._redactor = redactor
        self._to_api = APILogHandler()

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises, and never waits for the server."""
        if getattr(record, RAW, False):
            return
        try:
            self._to_api.emit(self._masked(record))
        except Exception:  # noqa: BLE001 - whatever is wrong with a line, it is no reason to fail
            self.handleError(record)

    def _masked(self, record: logging.LogRecord) -> logging.LogRecord:
        here = TaskRunContext.get()
        return logging.makeLogRecord(
            {
                "name": record.name,
                "levelno": record.levelno,
                "created": record.created,
                "msg": self._redactor.mask(message_of(record)),
                "flow_run_id": self._flow_run_id,
                # Prefect's own lines say it themselves.
                "task_run_id": getattr(record, "task_run_id", here.task_run.id if here else None),
            }
        )


def show_lines(redactor: Redactor) -> None:
    """From now on the agent's lines are shown on the flow run that this is called in."""
    here = FlowRunContext.get()
    if here is None or here.flow_run is None:
        return
    logging.getLogger().addHandler(RunLog(here.flow_run.id, redactor))
    # Each try of a task, and when the next one begins.
    logging.getLogger("prefect.task_runs").setLevel(logging.INFO)
