import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.markdown import code, markdown
from tests.unit.report.hostile import EVERYTHING, HOSTILE
from tests.unit.report.told import at, journal, said, story

SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
"""A code span, by CommonMark's rule."""


def outside_of_code(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    return "\n".join(SPAN.sub("", line) for line in lines)


@pytest.mark.parametrize("name", [*HOSTILE, EVERYTHING])
def test_nothing_that_a_job_is_called_means_anything_in_markdown(name: str) -> None:
    told = story(journal(job_name=name, detail=name, mend=name), said(), runner_said=(name,))
    tame = story(
        journal(job_name="tame", detail="tame", mend="tame"), said(), runner_said=("tame",)
    )
    assert shape(markdown(told)) == shape(markdown(tame))
    assert all(c.isprintable() for line in markdown(told).split("\n") for c in line)


def shape(text: str) -> list[str]:
    """Without the padding of columns, which follows the longest cell."""
    return [re.sub(r"[ -]+", " ", line) for line in outside_of_code(text).splitlines()]


@given(st.text("|\\`a <"))
def test_no_name_makes_a_column_of_its_own(name: str) -> None:
    lines = markdown(story(journal(job_name=name, detail=name, mend=name))).splitlines()
    rows = [line for line in lines if line.startswith("| 07:")]
    assert len(rows) > 10
    assert {row.count("|") for row in rows} == {6}


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1))
def test_a_code_span_holds_what_it_was_given(text: str) -> None:
    if not text.strip(" "):
        return
    found = SPAN.fullmatch(code(text))
    assert found is not None
    inner = found[2]
    padded = inner.startswith(" ") and inner.endswith(" ") and inner.strip(" ")
    assert text in (inner, inner[1:-1] if padded else inner)


def test_the_page_reads_as_plain_text() -> None:
    text = markdown(story(journal(), said()))
    assert text.startswith("# i-0123456789abcdef0: job_served\n\n**The runner took a job")
    assert "- job: `build`, succeeded" in text
    assert re.search(r"^\| 07:42:31.500 \| \+13.500 s +\| job started +\|", text, re.MULTILINE)
    assert "<https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region" in text
    assert "| account        | `123456789012` |" in text


def test_sections_without_anything_to_say_are_left_out() -> None:
    text = markdown(story(journal()))
    assert "## Warnings" not in text
    assert "## Still owed" not in text
    unfinished = markdown(story(journal()[:9], [f"{at(5)} WARNING agent.x cache.skipped error=x"]))
    assert "**How it ended is not known.**" in unfinished
    assert "- the instance terminated" in unfinished
    assert "- `07:42:23.000 cache.skipped error=x`" in unfinished
