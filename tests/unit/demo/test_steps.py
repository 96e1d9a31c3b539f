"""What a person is shown of the agent's lines."""

from agent.demo.steps import Download, Step, heard

AT = "2026-11-23T12:00:00.000Z"


def step(line: str) -> Step:
    said = heard(f"{AT} {line}", 1.0)
    assert isinstance(said, Step)
    return said


def test_a_step_is_a_few_words_and_what_is_worth_knowing() -> None:
    got = step("INFO agent.stages.download runner.downloaded source=github version=2.336.0 bytes=12230116")  # fmt: skip
    assert (got.what, got.detail) == ("runner downloaded, unpacked", "2.336.0 from GitHub, 12.2 MB")


def test_a_download_on_its_way_is_progress_and_no_step() -> None:
    line = f"{AT} INFO agent.stages.download runner.downloading bytes=5 of=10"
    assert heard(line, 1.0) == Download(5, 10)
    assert heard(line.replace("of=10", "of=None"), 1.0) is None


def test_a_run_that_ended_badly_says_its_reason() -> None:
    got = step('INFO agent.stages.record run.ended reason=no_job status=failure detail="x y"')
    assert (got.what, got.detail, got.warning) == ("run over", "no_job", True)


def test_a_warning_is_told_by_its_own_sentence_and_its_mend() -> None:
    got = step('WARNING agent.x cache.skipped error="S3 said \\"no\\"" mend="ask again"')
    assert (got.what, got.detail) == ("the S3 cache is skipped", 'S3 said "no"; ask again')


def test_an_unknown_warning_goes_by_its_name_and_other_lines_are_left_out() -> None:
    assert step("WARNING agent.x some.thing a=1").what == "some.thing"
    assert heard(f"{AT} INFO agent.x some.thing a=1", 1.0) is None
    assert heard("a line of a stack trace", 1.0) is None
    assert heard(f"{AT} ERROR prefect.flow_runs Finished in state Failed('x')", 1.0) is None
