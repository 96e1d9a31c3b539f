import io
import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from agent.events import event
from agent.logs.agent_log import AgentLog, configure
from agent.redact import Redactor

log = logging.getLogger("agent.test_agent_log")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<rest>[A-Z]+ \S+ .*)")
OURS = "INFO agent.test_agent_log "


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "agent", "flows", "tasks")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
    for handler in loggers[0].handlers[:]:
        if isinstance(handler, AgentLog):
            loggers[0].removeHandler(handler)
            handler.close()


def set_up(
    path: Path, *, console: TextIO | None = None, redactor: Redactor | None = None
) -> logging.Handler:
    return configure(path, redactor=redactor or Redactor(), console=console)


def fail(text: str) -> None:
    raise ValueError(text)


def said(path: Path) -> list[str]:
    found = [LINE.fullmatch(line) for line in path.read_text().splitlines()]
    assert all(found)
    return [line["rest"] for line in found if line]


def test_an_event_is_one_line_with_time_level_and_logger(tmp_path: Path) -> None:
    set_up(tmp_path / "logs/agent.log")
    event(log, "runner.started", pid=4711)
    assert said(tmp_path / "logs/agent.log") == [OURS + "runner.started pid=4711"]


def test_the_file_is_the_agents_alone_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    for word in ("one", "two"):
        set_up(path)
        log.info(word)
    assert said(path) == [OURS + "one", OURS + "two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_traceback_is_further_lines_with_the_same_beginning(tmp_path: Path) -> None:
    set_up(tmp_path / "agent.log")
    try:
        fail("first\nsecond")
    except ValueError:
        log.exception("it broke")
    lines = said(tmp_path / "agent.log")
    assert {line.split()[0] for line in lines} == {"ERROR"}
    assert lines[0].endswith(" it broke")
    assert lines[-2].endswith(" ValueError: first")
    assert lines[-1].endswith(" second")


def test_secrets_are_masked_also_in_tracebacks_and_on_the_console(tmp_path: Path) -> None:
    console, redactor = io.StringIO(), Redactor()
    redactor.add("hunter2-token")
    set_up(tmp_path / "agent.log", console=console, redactor=redactor)
    try:
        fail("hunter2-token")
    except ValueError:
        log.exception("token %s", "hunter2-token")
    assert "hunter2" not in (tmp_path / "agent.log").read_text() + console.getvalue()
    assert console.getvalue() == (tmp_path / "agent.log").read_text()


def test_third_party_loggers_say_warnings_only(tmp_path: Path) -> None:
    set_up(tmp_path / "agent.log")
    for name in ("httpx", "botocore.auth", "urllib3"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("matters")
    assert [line.split()[-1] for line in said(tmp_path / "agent.log")] == ["matters"] * 3


def test_a_full_disk_never_raises_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(Path("/dev/full"))
    log.info("one")
    log.info("two")
    errors = capsys.readouterr().err.splitlines()
    assert [("log.not_written" in line, line.split()[-1]) for line in errors[1:]] == [
        (False, "one"),
        (False, "two"),
    ]
    assert "log.not_written path=/dev/full" in errors[0]


def test_a_path_that_cannot_be_written_falls_back_to_the_console(tmp_path: Path) -> None:
    console = io.StringIO()
    (tmp_path / "file").write_text("")
    set_up(tmp_path / "file/agent.log", console=console)
    log.info("one")
    assert [line.split(maxsplit=3)[3] for line in console.getvalue().splitlines()][1:] == ["one"]


def test_a_symlink_in_the_files_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "agent.log").symlink_to(tmp_path / "elsewhere")
    set_up(tmp_path / "agent.log", console=io.StringIO())
    log.info("one")
    assert not (tmp_path / "elsewhere").exists()


def test_a_console_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    console = io.StringIO()
    console.close()
    set_up(tmp_path / "agent.log", console=console)
    log.info("one")
    assert said(tmp_path / "agent.log") == [OURS + "one"]


def test_a_wrong_log_call_is_written_as_far_as_it_goes(tmp_path: Path) -> None:
    handler = set_up(tmp_path / "agent.log")
    record = log.makeRecord(log.name, logging.INFO, __file__, 1, "%d files", ("many",), None)
    handler.handle(record)  # past pytest's own handler, which raises
    assert said(tmp_path / "agent.log")[0].startswith(OURS + "%d files (arguments left out:")


def test_lines_that_utf8_cannot_say_are_escaped(tmp_path: Path) -> None:
    handler = set_up(tmp_path / "agent.log")
    handler.handle(log.makeRecord(log.name, logging.INFO, __file__, 1, "name \udcff", (), None))
    assert said(tmp_path / "agent.log") == [OURS + "name \\udcff"]
