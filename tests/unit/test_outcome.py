import re
from pathlib import Path

import pytest

from agent.outcome import EXPLAINED, Reason, Status
from docs.outcome_examples import examples


def test_every_reason_is_explained_to_the_person_on_call() -> None:
    assert set(EXPLAINED) == set(Reason)
    assert all(each.meaning.endswith(".") and each.what_to_do for each in EXPLAINED.values())


def test_a_final_status_is_never_started() -> None:
    assert Status.STARTED not in {each.status for each in EXPLAINED.values()}


def test_only_wrong_settings_exit_with_2() -> None:
    assert [r for r, each in EXPLAINED.items() if each.exit_status == 2] == [
        Reason.SETTINGS_INVALID
    ]


OUTCOMES = (Path(__file__).parents[2] / "docs/outcomes.md").read_text()


@pytest.mark.parametrize("table", ["outcomes", "examples"])
def test_each_table_of_the_docs_has_every_reason_once_and_none_that_does_not_exist(
    table: str,
) -> None:
    text = OUTCOMES.partition(f"<!-- {table}: ")[2].partition(f"<!-- end of {table} -->")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE) == ["reason", *Reason]


@pytest.mark.parametrize("reason", Reason)
def test_the_agents_own_code_ends_a_run_so_and_says_why_and_what_to_do(reason: Reason) -> None:
    outcome = examples()[reason]
    assert outcome.reason is reason
    if reason is Reason.JOB_SERVED:
        assert outcome.sentence == ""
        return
    assert outcome.detail
    assert outcome.next_step
    assert outcome.sentence == f"{outcome.detail}; {outcome.next_step}"
    assert "\n" not in outcome.sentence
    assert "pattern" not in outcome.sentence, "a regular expression helps nobody"
