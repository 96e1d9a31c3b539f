"""What is told of a run, whichever way it is known."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.journal import facts
from agent.outcome import EXPLAINED, Reason
from agent.report.evidence import of_lines, of_machine
from agent.report.facts_said import facts_said
from agent.report.lines import parsed
from agent.report.markdown import markdown
from agent.report.story import Story
from agent.report.tell import MOST_WARNINGS, tell
from tests.unit.report.told import BEGAN, INSTANCE, at, journal, said, story


def from_cloudwatch(texts: Sequence[str]) -> Story:
    told = tell(of_lines(list(texts), source="CloudWatch", log_group="/runs-fleet/agent", account_id="123456789012"))  # fmt: skip
    assert told is not None
    return told


def test_the_agent_s_lines_tell_the_facts_that_the_journal_holds() -> None:
    """All but what is of use on the machine alone: its clocks, its boot, the queue's address."""
    from_lines = facts_said(parsed(said()))
    assert [type(fact) for fact in from_lines] == [type(fact) for fact in journal()]
    assert [fact.at for fact in from_lines] == [fact.at for fact in journal()]


def test_the_story_is_the_same_from_the_journal_and_from_cloudwatch() -> None:
    here, there = story(lines=said()), from_cloudwatch(said())
    for name in set(Story.__slots__) - {"source"}:
        assert getattr(here, name) == getattr(there, name), name


@pytest.mark.parametrize("reason", list(Reason))
def test_every_outcome_is_told_with_its_meaning_and_what_to_do(reason: Reason) -> None:
    ending = story(journal(reason=reason)).ending
    assert ending is not None
    explained = EXPLAINED[reason]
    assert (ending.meaning, ending.what_to_do) == (explained.meaning, explained.what_to_do)
    assert (ending.reason, ending.status) == (reason, explained.status)


def test_a_run_s_own_mend_is_told_before_what_holds_for_every_run_of_its_reason() -> None:
    mend = "give the instance role ssm:GetParameter"
    text = markdown(story(journal(reason="aws_refused", mend=mend)))
    assert text.index(f"what to do: `{mend}`") < text.index("in general: ")
    general = EXPLAINED[Reason.AWS_REFUSED].what_to_do
    same = markdown(story(journal(reason="aws_refused", mend=general[0].lower() + general[1:])))
    assert f"what to do: {general}" in same
    assert "in general" not in same


def test_an_outcome_of_a_newer_agent_is_named_and_not_explained() -> None:
    ending = story(journal(reason="eaten_by_a_bear", detail="it was hungry")).ending
    assert ending is not None
    assert (ending.reason, ending.detail) == ("eaten_by_a_bear", "it was hungry")
    assert (ending.status, ending.meaning, ending.what_to_do) == ("", "", "")


@given(st.integers(1, len(journal())))
def test_a_run_that_stopped_anywhere_is_told_as_far_as_it_came(count: int) -> None:
    told = story(journal()[:count])
    assert [each.at for each in told.moments] == sorted(each.at for each in told.moments)
    assert (told.over is None) == (count < len(journal()))
    assert (told.ending is None) == (count < 11)
    assert ("the instance terminated" in told.owed) == (told.over is None)


def test_what_is_not_known_is_left_out() -> None:
    told = story(journal()[:1])
    assert (told.run_id, told.account_id, told.job_result, told.runner_version) == ("",) * 4
    assert told.figures == ()
    assert [each.what for each in told.phases] == ["boot"]
    assert [each.name for each in told.streams] == [f"boot/{INSTANCE}/agent"]


def test_lines_of_an_older_agent_give_no_numbers_that_nobody_measured() -> None:
    old = [line.partition(" seconds=")[0].partition(" boot_seconds=")[0] for line in said()]
    told = from_cloudwatch(old)
    assert told.phases == ()
    assert all(each.seconds is None for each in told.moments)


def test_without_a_beginning_there_is_no_story() -> None:
    assert tell(of_lines(["no line of ours"], source="", log_group="", account_id="")) is None
    assert tell(of_lines(said()[3:], source="", log_group="", account_id="")) is None


def test_what_ran_beside_what_is_told_with_times() -> None:
    spans = {span.lane: span for span in story(lines=said()).spans if span.kind != "wait"}
    assert spans["machine"].began == BEGAN - timedelta(seconds=9.5)
    assert spans["agent"].seconds == pytest.approx(1.8)
    assert spans["download"].seconds == pytest.approx(1.234)
    assert spans["job"].seconds == pytest.approx(6.5)
    assert spans["message"].kind == "beside"
    assert spans["message"].began == spans["parameters"].began
    ending = [spans[lane] for lane in ("logs", "final message", "clean-up", "terminate")]
    assert all(a.ended == b.began for a, b in pairwise(ending))


def test_a_machine_that_was_up_for_days_was_not_booted_for_this_run() -> None:
    days = facts.RunBegan(at(0), INSTANCE, "eu-central-1", "boot", "0.1.0", 400_000.0)
    told = story((days, *journal()[1:]))
    assert "machine" not in {span.lane for span in told.spans}
    assert "boot" not in {phase.what for phase in told.phases}


def test_warnings_are_told_up_to_a_bound() -> None:
    lines = [f"{at(5)} WARNING agent.x cache.skipped error=e{n}" for n in range(MOST_WARNINGS + 7)]
    told = story(lines=lines)
    assert told.warnings[0] == "07:42:23.000 cache.skipped error=e0"
    assert (len(told.warnings), told.warnings_left_out) == (MOST_WARNINGS, 7)


def test_what_prefect_says_of_a_failure_is_no_warning_of_its_own() -> None:
    said_twice = f"{at(5)} ERROR prefect.flow_runs Finished in state Failed('x')"
    assert story(lines=[said_twice]).warnings == ()


def test_a_terminate_call_that_ec2_never_answered_is_not_told_as_an_end() -> None:
    told = from_cloudwatch(said()[:-1])
    assert told.over is None
    assert told.owed == ("the instance terminated",)
    assert told.moments[-1].what == "about to call TerminateInstances"


def test_a_journal_with_a_time_that_is_none_is_told_without_it(tmp_path: Path) -> None:
    lines = [facts.to_line(fact) for fact in journal()]
    lines[8] = lines[8].replace(b"2026-11-23", b"2026-99-99")
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines))
    told = tell(of_machine(tmp_path))
    assert told is not None
    assert "job started" not in {each.what for each in told.moments}
    assert told.log_group == "/runs-fleet/agent"
