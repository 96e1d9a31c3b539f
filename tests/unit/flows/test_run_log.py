"""The agent's lines on the page of its flow run."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.logging.handlers import APILogHandler, set_api_log_sink
from prefect.settings import (
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from agent.logs.agent_log import RAW
from agent.redact import Redactor
from flows.prefect_environment import find_api, take_console_away
from flows.run_log import RunLog, show_lines

SECRET = "AREGISTRATIONTOKENOFTHISRUNNER"
RUN = uuid4()


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """What would be sent to the server."""
    gathered: list[dict[str, Any]] = []
    set_api_log_sink(gathered.append)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        yield gathered
    set_api_log_sink(None)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    redactor = Redactor()
    redactor.add(SECRET)
    handler = RunLog(RUN, redactor)
    of_a_test = logging.getLogger("agent.run_log_test")
    of_a_test.addHandler(handler)
    of_a_test.propagate = False
    yield of_a_test
    of_a_test.removeHandler(handler)


def test_a_line_goes_to_its_flow_run(sent: list[dict[str, Any]], logger: logging.Logger) -> None:
    logger.warning("memory.low available_mb=%d", 3)
    (line,) = sent
    assert line["message"] == "memory.low available_mb=3"
    assert (line["flow_run_id"], line["level"]) == (str(RUN), logging.WARNING)


def test_no_secret_goes_with_it_not_even_in_a_traceback(
    sent: list[dict[str, Any]], logger: logging.Logger
) -> None:
    error = ValueError(f"refused: {SECRET}")
    logger.error("registration.failed token=%s", SECRET, exc_info=error)
    (line,) = sent
    assert "registration.failed token=***" in line["message"]
    assert "ValueError: refused: ***" in line["message"]
    assert SECRET not in str(sent)


def test_a_line_for_machines_stays_where_it_is(
    sent: list[dict[str, Any]], logger: logging.Logger
) -> None:
    logger.warning('{"_aws": {}}', extra={RAW: True})
    assert sent == []


def test_prefect_has_no_way_of_its_own_past_the_redactor() -> None:
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    before = {each: (each.handlers[:], each.propagate) for each in [logging.root, *named]}
    try:
        take_console_away()
        left = [each.name for each in before for h in each.handlers if type(h) is APILogHandler]
        assert left == []
    finally:
        for each, (handlers, propagate) in before.items():
            each.handlers[:] = handlers
            each.propagate = propagate


def test_an_api_of_our_own_is_sent_no_lines(tmp_path: Path) -> None:
    environment = {"PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_TO_API_ENABLED": "true"}
    api = find_api(environment)
    assert environment["PREFECT_LOGGING_TO_API_ENABLED"] == "false"
    assert api.own is not None
    api.own.stop()


def test_outside_of_a_flow_run_nothing_is_shown(sent: list[dict[str, Any]]) -> None:
    show_lines(Redactor())
    assert not any(isinstance(handler, RunLog) for handler in logging.root.handlers)
