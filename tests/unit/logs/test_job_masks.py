"""What a job asks to be masked is masked in its own log, and nowhere else."""

from pathlib import Path

import pytest

from agent.logs.job_masks import MAX_VALUES, JobMasks
from tests.fakes_shipper import AGENT, RUNNER, Bench, say, soon


def learned(*values: str) -> JobMasks:
    masks = JobMasks()
    for value in values:
        masks.learn(f"before\n::add-mask::{value}\nafter")
    return masks


def test_a_value_is_masked_from_its_own_command_on() -> None:
    masks = learned("hunter2!")
    assert masks.mask("::add-mask::hunter2!") == "::add-mask::***"
    assert masks.mask("the password is hunter2!") == "the password is ***"
    assert masks.in_text("x hunter2! y")
    assert not masks.in_text("hunter")


def test_a_command_behind_a_timestamp_or_a_prefix_counts() -> None:
    masks = JobMasks()
    masks.learn("[_diag/pages/1.log] 2026-11-23T07:42:18.1234567Z ::add-mask::hunter2!")
    assert masks.mask("hunter2!") == "***"


def test_escapes_of_the_workflow_commands_are_taken_back() -> None:
    masks = learned("100%25sure", "first-line%0Asecond-line")
    assert masks.mask("100%sure") == "***"
    assert masks.mask("second-line of it") == "*** of it"


def test_a_job_cannot_make_us_learn_without_end() -> None:
    masks = learned(*(f"value-{number:05d}" for number in range(MAX_VALUES + 5)))
    assert masks.mask("value-00000") == "***"
    assert masks.mask(f"value-{MAX_VALUES + 1:05d}") == f"value-{MAX_VALUES + 1:05d}"


def test_it_reaches_cloudwatch_masked_and_does_not_touch_the_agents_own_words(
    bench: Bench, tmp_path: Path
) -> None:
    own = tmp_path / "agent.log"
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER)
    shipper.follow(own, AGENT)
    say(bench.file, "::add-mask::run.ended\nit says run.ended\n")
    say(own, "INFO run.ended\n")
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == ["::add-mask::***", "it says ***"]
    assert bench.client.streams[AGENT] == ["INFO run.ended"]


@pytest.mark.parametrize("text", ["", "::add-mask::", "::add-mask::   \n"])
def test_a_command_without_a_value_is_nothing(text: str) -> None:
    masks = JobMasks()
    masks.learn(text)
    assert masks.mask("anything") == "anything"
