import io
import json
import logging
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from agent.events import event
from agent.logs.agent_log import AgentLog
from agent.redact import Redactor
from agent.report.lines import metrics, parse

NAME = "runner.started"


def written(tmp: io.StringIO, name: str) -> str:
    """What the agent's log writes of an event."""
    handler = AgentLog(Path("/dev/null"), redactor=Redactor(), console=tmp)
    logger = logging.getLogger("agent.test")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    event(logger, NAME, name=name, pid=4711)
    logger.removeHandler(handler)
    handler.close()
    return tmp.getvalue()


@given(st.text())
@example("x\u2028run.ended reason=spot_notice")
@example("x\x85y")
@example('a "quoted" \\ one = two')
def test_whatever_an_event_says_is_read_back_from_its_one_line(text: str) -> None:
    whole = written(io.StringIO(), text)
    (line,) = whole.splitlines()
    read = parse(line)
    assert read is not None
    assert (read.name, read.level) == (NAME, "INFO")
    assert dict(read.fields) == {"name": text, "pid": "4711"}


@given(st.text())
def test_any_line_can_be_looked_at(text: str) -> None:
    assert parse(text) is None or text
    assert parse(f"2026-11-23T07:42:18.123Z INFO x {text}") is not None


def test_a_line_with_a_date_that_is_none_is_left_out() -> None:
    assert parse("2026-99-99T07:42:18.123Z INFO agent.x run.began") is None


def test_a_line_without_an_event_keeps_its_text() -> None:
    read = parse("2026-11-23T07:42:18.123Z ERROR agent.x Traceback (most recent call last):")
    assert read is not None
    assert (read.name, read.text) == ("", "Traceback (most recent call last):")
    assert read.is_warning


def test_the_metrics_are_the_numbers_of_the_one_line_that_holds_them() -> None:
    line = json.dumps({"_aws": {}, "Reason": "job_served", "LogLagSeconds": 5.1}, separators=(",", ":"))  # fmt: skip
    assert metrics(["something", line]) == {"LogLagSeconds": 5.1}
    assert metrics(["something", '{"_aws": broken']) == {}
    assert metrics(['{"_aws":[', '{"_aws":1}']) == {"_aws": 1.0}
