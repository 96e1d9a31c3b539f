"""When the demo is plain, and that nothing of it is wider than the terminal."""

import io
from collections.abc import Mapping

import pytest

from agent.demo.live import console_on, plainly, settle, step_lines
from agent.demo.steps import _KINDS, Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    "environment",
    [{**TERM, "NO_COLOR": "1"}, {**TERM, "CI": "true"}, {"TERM": "dumb"}, {}],
)
def test_whoever_asks_for_it_gets_it_plain(environment: Mapping[str, str]) -> None:
    assert plainly(environment, Terminal(), Terminal())


def test_only_two_terminals_are_watched() -> None:
    assert not plainly({**TERM, "CI": "false", "NO_COLOR": ""}, Terminal(), Terminal())
    assert plainly(TERM, Terminal(), io.StringIO())
    assert plainly(TERM, io.StringIO(), Terminal())


def test_a_plain_console_writes_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = Terminal()
    console_on(out, plain=True).print("[bold red]x[/]")
    assert out.getvalue() == "x\n"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_of_a_step_is_wider_than_the_terminal(width: int) -> None:
    steps = [Step(1234.5, "x", kind.what, "a detail of some length, so to speak") for kind in _KINDS.values()]  # fmt: skip
    warned = Step(1.0, "x", "told to stop", "word " * 60, warning=True)
    lines = [line for step in (*steps, warned) for line in step_lines(step, width)]
    assert max(len(line) for line in lines) <= width


def test_at_80_columns_every_few_words_and_the_longest_details_are_whole() -> None:
    for kind in _KINDS.values():
        (line,) = step_lines(Step(1.0, "x", kind.what, "octo-org/hello-world, run 12345678"), 80)
        assert line.plain.endswith("12345678")


def test_a_long_warning_is_broken_between_words() -> None:
    text = "EC2 will terminate this spot instance at 2026-11-23T12:02:00Z"
    (_, below) = step_lines(Step(1.0, "x", "told to stop", text, warning=True), 80)
    assert below.plain.strip() == text


def test_a_character_that_the_encoding_has_not_got_stops_nothing() -> None:
    raw = io.BytesIO()
    latin = io.TextIOWrapper(raw, encoding="ascii")
    settle(latin)
    latin.write("✓")
    latin.flush()
    assert raw.getvalue() == b"?"
