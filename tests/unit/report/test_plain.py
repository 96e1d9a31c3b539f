import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.plain import duration, is_moment, plain, size


@given(st.text())
def test_foreign_text_is_one_line_of_visible_characters(text: str) -> None:
    assert plain(text).isprintable()


def test_what_would_turn_or_break_a_line_is_spelled_out() -> None:
    assert plain("a\u202eb\nc\x1b[31m\u2028d") == r"a\u202eb\nc\x1b[31m\u2028d"


def test_what_can_be_read_stays_as_it_is() -> None:
    assert plain("build (größte, 日本) <b>`x`</b>") == "build (größte, 日本) <b>`x`</b>"


def test_a_novel_is_cut() -> None:
    assert plain("x" * 10_000, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.00 s"),
        (0.214, "0.21 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.7, "1 h 0 min"),
        (21_720, "6 h 2 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (4200, "4.2 kB"), (123_400_000, "123.4 MB"), (2 * 10**15, "2000.0 TB")],
)  # fmt: skip
def test_sizes_are_decimal(count: int, said: str) -> None:
    assert size(count) == said


@given(st.text())
def test_a_moment_is_told_from_anything_else(text: str) -> None:
    assert is_moment("2026-11-23T07:42:18.123Z")
    assert is_moment(text) in (True, False)
