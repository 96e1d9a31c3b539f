"""`runs-fleet-agent demo` as a person at a terminal sees it; test_scenarios.py looks at the reports."""

import json
import os
import sys
from pathlib import Path

import pytest

from agent.cli import main
from agent.demo.scenarios import scenarios
from agent.runner.identity import all_processes
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
NOT_WATCHED = ("NO_COLOR", "CI", "COLUMNS", "LINES", "FORCE_COLOR")


class Person:
    """Makes the window wider once the agent has started, looks whether all of it is there, and has had enough."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.wider = self.stopped = False

    def look(self, terminal: Terminal) -> None:
        self.frames.append(terminal.shown)
        if not self.wider and "agent started" in terminal.shown:
            terminal.resize(100, 20)
            self.wider = True
        elif self.wider and not self.stopped and "agent started" in terminal.shown:
            terminal.press_ctrl_c()
            self.stopped = True


def test_a_terminal_shows_what_goes_on_bears_another_size_and_is_sane_after_ctrl_c(
    central_prefect: str, tmp_path: Path
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_WATCHED}
    terminal = {"TERM": "xterm-256color", "TMPDIR": str(tmp_path)}
    person = Person()
    seen = Terminal(80, 24).run(
        [sys.executable, "-m", "agent", "demo"],
        cwd=ROOT,
        env={**kept, **terminal, "PREFECT_API_URL": central_prefect},
        look=person.look,
    )
    text = "\n".join(seen.lines)
    assert (seen.exit_status, seen.cursor_hidden) == (130, False), text
    assert any("the agent starts …" in frame for frame in person.frames)
    assert max(frame.count("agent started") for frame in person.frames) == 1
    assert "the demo was stopped; its agent has ended" in text
    assert "Traceback" not in text
    assert list(tmp_path.glob("runs-fleet-demo-*")) == []
    assert [s.pid for s in all_processes() if not s.dead and _is_of(tmp_path, s.pid)] == []


def _is_of(folder: Path, pid: int) -> bool:
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def test_the_list_of_scenarios_is_for_machines_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["scenario"] for each in listed] == list(scenarios(Path("/")))
    assert all(each["title"] and each["reason"] for each in listed)
