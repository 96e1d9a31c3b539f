import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import event, warning

log = logging.getLogger("agent.test")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "agent.test")
    return caplog


def test_a_name_then_what_is_known(said: pytest.LogCaptureFixture) -> None:
    event(log, "runner.started", pid=4711, user="runner", seconds=1.5, why=None)
    warning(log, "cache.skipped", error="no such bucket")
    assert said.messages == [
        "runner.started pid=4711 user=runner seconds=1.500",
        'cache.skipped error="no such bucket"',
    ]
    assert [record.levelname for record in said.records] == ["INFO", "WARNING"]


def test_a_name_in_any_script_stays_readable(said: pytest.LogCaptureFixture) -> None:
    event(log, "job.started", name="größte Prüfung")
    assert said.messages == ['job.started name="größte Prüfung"']


class Last(logging.Handler):
    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


@given(st.text())
def test_no_value_ends_the_line_whatever_is_taken_for_an_end(text: str) -> None:
    logger, last = logging.getLogger("agent.test.lines"), Last()
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(last)
    event(logger, "job.started", name=text)
    logger.removeHandler(last)
    assert len(last.text.splitlines()) == 1
