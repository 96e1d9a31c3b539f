"""`runs-fleet-agent demo` as a person and as a machine see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.terminal import Terminal

PROGRAM = [sys.executable, "-m", "agent", "demo"]
ROOT = Path(__file__).parents[2]
NOT_WATCHED = ("NO_COLOR", "CI", "COLUMNS", "LINES", "FORCE_COLOR")


def environment(central_prefect: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_WATCHED}
    return {**kept, "TERM": "xterm-256color", "PREFECT_API_URL": central_prefect}


def test_on_a_terminal_the_steps_come_one_by_one_and_the_report_is_whole_at_80_columns(
    central_prefect: str,
) -> None:
    frames: list[str] = []

    def look(terminal: Terminal) -> None:
        frames.append(terminal.shown)
        if "agent started" in terminal.shown and terminal.screen.columns == 80:
            terminal.resize(100, 20)

    program = [*PROGRAM, "--scenario", "expired-token"]
    seen = Terminal(80, 24).run(program, cwd=ROOT, env=environment(central_prefect), look=look)
    text = "\n".join(seen.lines)
    assert (seen.exit_status, seen.cursor_hidden) == (0, False), text
    assert any("the agent starts …" in frame for frame in frames)
    assert text.count("agent started  ") == 1 or "agent started" in text
    assert text.count("final message `failure` in SQS") == 1
    assert "Why it ended: token_expired" in text
    assert "…" not in text.partition("How long it took")[2], "nothing of the report is cut"
    assert seen.lines[-1] or any(line.startswith("Next:") for line in seen.lines)


def test_ctrl_c_leaves_a_sane_terminal_and_no_agent(central_prefect: str) -> None:
    pressed: list[bool] = []

    def look(terminal: Terminal) -> None:
        if "agent started" in terminal.shown and not pressed:
            pressed.append(True)
            terminal.press_ctrl_c()

    program = [*PROGRAM, "--scenario", "sigterm"]
    seen = Terminal(80, 24).run(program, cwd=ROOT, env=environment(central_prefect), look=look)
    text = "\n".join(seen.lines)
    assert (seen.exit_status, seen.cursor_hidden) == (130, False), text
    assert "the demo was stopped; its agent has ended" in text
    assert "Traceback" not in text


def test_for_a_machine_stdout_is_one_object_and_stderr_is_plain(central_prefect: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "--scenario", "corrupt-archive", "--json"],
        cwd=ROOT,
        env=environment(central_prefect),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["exit_status"]) == (0, True, 1), done.stderr
    assert (told["reason"], bool(told["detail"]), bool(told["mend"])) == ("archive_invalid", True, True)  # fmt: skip
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 3 + len(told["steps"]), "one line a step"
    documented = (ROOT / "docs/demo.md").read_text()
    assert [key for key in told if f"`{key}`" not in documented] == []
