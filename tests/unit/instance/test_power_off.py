"""The power-off command, as a real process: what was given, without a shell, and true only when it worked."""

import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.instance.power import power_off

ROOT = Path(__file__).parents[3]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="agent")
    return caplog


def lines(said: pytest.LogCaptureFixture) -> list[str]:
    """Level and name of each line."""
    return [f"{each.levelname} {each.getMessage().split()[0]}" for each in said.records]


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_the_command_that_is_given_is_run(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    assert power_off(f"touch {tmp_path}/off")
    assert (tmp_path / "off").exists()
    assert lines(said) == ["INFO instance.power_off"]
    assert "exit_code=0" in said.text


def test_quotes_keep_words_together(tmp_path: Path) -> None:
    assert power_off(f"touch '{tmp_path}/two words'")
    assert [path.name for path in tmp_path.iterdir()] == ["two words"]


def test_no_shell_reads_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert power_off("touch $HOME ; touch * > made")
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"$HOME", ";", "touch", "*", ">", "made"}


@pytest.mark.parametrize("command", [None, ""])
def test_without_a_command_nothing_is_switched_off(
    command: str | None, said: pytest.LogCaptureFixture
) -> None:
    assert not power_off(command)
    assert lines(said) == ["WARNING instance.no_power_off_command"]
    assert "RUNS_FLEET_POWER_OFF_COMMAND" in said.text


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(1)", 1),
        ("raise SystemExit(77)", 77),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
    ids=["one", "seventy-seven", "killed"],
)
def test_a_command_that_fails_is_not_taken_for_a_power_off(
    program: str, status: int, said: pytest.LogCaptureFixture
) -> None:
    assert not power_off(python(program))
    assert f"exit_code={status}" in said.text


def test_a_command_that_does_not_exist_is_one_warning(said: pytest.LogCaptureFixture) -> None:
    assert not power_off("no-such-command-anywhere --force")
    assert lines(said) == ["WARNING instance.power_off_failed"]
    assert "no-such-command-anywhere" in said.text


def test_a_file_that_cannot_be_run_is_one_warning(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "off").write_text("#!/bin/sh\n")
    assert not power_off(str(tmp_path / "off"))
    assert lines(said) == ["WARNING instance.power_off_failed"]
    assert "Permission denied" in said.text


def test_a_quote_that_is_never_closed_is_one_warning_and_nothing_is_run(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    assert not power_off(f"touch {tmp_path}/off '")
    assert list(tmp_path.iterdir()) == []
    assert lines(said) == ["WARNING instance.power_off_failed"]


def test_a_command_that_asks_its_terminal_is_told_nothing() -> None:
    """Held open, the agent's own stdin would keep such a command for ever."""
    program = "from agent.instance.power import power_off; print(power_off('cat'), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as agent:
        assert agent.stdout is not None
        try:
            assert agent.wait(10) == 0
            assert agent.stdout.read() == "True\n"
        finally:
            agent.kill()


def test_what_a_command_leaves_running_does_not_hold_the_agent(tmp_path: Path) -> None:
    """The child of the command blocks on a pipe until the test, not the command, lets it go."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    leave = "import subprocess, sys; subprocess.Popen(['cat', sys.argv[1]])"
    assert power_off(f"{python(leave)} {pipe}")
    # Opening to write waits for a reader: the child outlived its command, and ends with this.
    with pipe.open("wb") as left:
        assert left.write(b"go") == 2


@pytest.mark.parametrize("command", [" ", "\t\n"], ids=["space", "tab"])
def test_a_blank_command_is_as_good_as_none(command: str) -> None:
    assert not power_off(command)


def test_a_command_that_hangs_is_given_up() -> None:
    clock = SystemClock()
    began = clock.monotonic()
    assert not power_off("sleep 60", timeout_seconds=0.3)
    assert clock.monotonic() - began < 5
