from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.outcome import JobResult, Outcome, Reason
from agent.runner.result import RESTART_LIMIT, Conversation, outcome
from agent.runner.says import parse_diag, parse_output

AT = "2026-11-23 07:42:18Z"
LISTENING = [
    "√ Connected to GitHub",
    "Current runner version: '2.336.0'",
    f"{AT}: Listening for Jobs",
]
EXIT = [
    "Runner listener exit with 0 return code, stop the service, no retry needed.",
    "Exiting runner...",
]
GUID = "0f3c5a9e-7d1b-4c1e-9f00-1a2b3c4d5e6f"
OTHER = "11111111-2222-3333-4444-555555555555"
DISPATCHER = f"[{AT} INFO JobDispatcher] "


def started(name: str) -> str:
    return f"{AT}: Running job: {name}"


def finished(name: str, result: str) -> str:
    return f"{AT}: Job {name} completed with result: {result}"


def received(job: str = GUID) -> str:
    return f"{DISPATCHER}Job request 1 for plan p job {job} received."


def ended(result: str, job: str = GUID) -> str:
    return f"{DISPATCHER}finish job request for job {job} with result: {result}"


def conversation(*lines: str) -> Conversation:
    said = [parse_output(line) or parse_diag(line) for text in lines for line in text.split("\n")]
    return reduce(Conversation.then, said, Conversation())


def judge(*lines: str, exit_code: int | None = 0, files_left: bool = False) -> Outcome:
    return outcome(conversation(*lines), exit_code, files_left=files_left)


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("Succeeded", JobResult.SUCCEEDED),
        ("SucceededWithIssues", JobResult.SUCCEEDED),
        ("Failed", JobResult.FAILED),
        ("Canceled", JobResult.CANCELLED),
        ("Skipped", JobResult.SKIPPED),
        ("Abandoned", JobResult.ABANDONED),
    ],
)
def test_a_job_that_ended_in_order_was_served_whatever_its_result(
    word: str, result: JobResult
) -> None:
    got = judge(*LISTENING, started("build"), finished("build", word), *EXIT)
    assert (got.reason, got.job_result, got.job_name) == (Reason.JOB_SERVED, result, "build")
    assert got.exit_code == 0


def test_diag_wins_over_the_terminal() -> None:
    got = judge(received(), started("a"), finished("a", "Succeeded"), ended("Failed"))
    assert got.job_result is JobResult.FAILED


def test_diag_alone_is_enough() -> None:
    got = judge(received(), ended("Succeeded"))
    assert (got.reason, got.job_result) == (Reason.JOB_SERVED, JobResult.SUCCEEDED)


def test_a_finish_line_of_another_job_is_ignored() -> None:
    got = judge(received(), received(OTHER), ended("Succeeded", OTHER), started("a"))
    assert (got.reason, got.job_result) == (Reason.RUNNER_LOST, JobResult.UNKNOWN)
    assert judge(started("a"), finished("b", "Succeeded")).reason is Reason.RUNNER_LOST
    assert judge(*LISTENING, finished("b", "Succeeded")).reason is Reason.RUNNER_TERMINATED


@pytest.mark.parametrize(
    "name",
    [
        "x completed with result: Succeeded",
        f"x\n{AT}: Job x completed with result: Succeeded",
        f"x\n{ended('Succeeded')}",
        f"x\n{received(OTHER)}\n{ended('Succeeded', OTHER)}",
    ],
)
def test_a_job_name_cannot_forge_a_result(name: str) -> None:
    got = judge(received(), started(name), finished(name, "Failed"), ended("Failed"))
    assert got.job_result is JobResult.FAILED


def test_a_job_name_with_a_finish_line_in_it_does_not_fool_the_terminal_either() -> None:
    name = f"x\n{AT}: Job x completed with result: Succeeded"
    assert judge(started(name), finished(name, "Failed")).job_result is JobResult.FAILED


def test_a_job_whose_end_was_never_told_is_lost() -> None:
    got = judge(*LISTENING, started("build"), *EXIT)
    assert (got.reason, got.job_result) == (Reason.RUNNER_LOST, JobResult.UNKNOWN)
    assert "'build'" in got.detail
    assert "gave the job up" in got.detail


def test_a_listener_that_died_in_the_job_is_named_in_the_detail() -> None:
    got = judge(started("build"), "Exiting with unknown error code: 137", files_left=True)
    assert got.reason is Reason.RUNNER_LOST
    assert "137 (SIGKILL" in got.detail


@pytest.mark.parametrize(
    ("lines", "exit_code"),
    [
        (
            [
                "An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages."
            ],
            0,
        ),
        (["Runner listener exit with deprecated version exit code: 7."], 7),
        ([], 7),
    ],
)
def test_a_deprecated_version_is_known_by_its_line_or_its_code(
    lines: list[str], exit_code: int
) -> None:
    assert judge(*LISTENING, *lines, exit_code=exit_code).reason is Reason.RUNNER_DEPRECATED


def test_a_session_conflict_that_lasts_is_one() -> None:
    conflict = "A session for this runner already exists."
    final = "Stop retry on SessionConflictException after retried for 240 seconds."
    assert judge(conflict, conflict, final).reason is Reason.SESSION_CONFLICT
    over = judge(conflict, *LISTENING, *EXIT)
    assert over.reason is Reason.RUNNER_TERMINATED


@pytest.mark.parametrize("code", [134, 137, 139, 127])
def test_a_listener_that_was_killed_or_aborted_has_crashed(code: int) -> None:
    got = judge(f"Exiting with unknown error code: {code}", "Exiting runner...")
    assert got.reason is Reason.RUNNER_CRASHED
    assert str(code) in got.detail


def test_a_killed_run_sh_is_a_crash_and_its_exit_code_is_minus_one() -> None:
    got = judge(*LISTENING, exit_code=-9)
    assert (got.reason, got.exit_code) == (Reason.RUNNER_CRASHED, -1)


@pytest.mark.parametrize("exit_code", [143, 130, -15, None, 0])
def test_an_end_without_job_or_error_is_termination(exit_code: int | None) -> None:
    got = judge(*LISTENING, *EXIT, exit_code=exit_code, files_left=True)
    assert (got.reason, got.job_result) == (Reason.RUNNER_TERMINATED, JobResult.NONE)
    assert "announced no job" in got.detail


@pytest.mark.parametrize(
    "line",
    [
        "An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.",
        "The runner no longer exists on the server. Please reconfigure the runner.",
        "Must not run interactively with sudo",
    ],
)
def test_a_terminal_error_is_the_detail(line: str) -> None:
    got = judge(
        line, "Runner listener exit with terminated error, stop the service, no retry needed."
    )
    assert got.reason is Reason.RUNNER_TERMINATED
    assert got.detail in line


def test_restarts_without_a_job_are_a_loop_and_before_a_job_are_not() -> None:
    again = ["An error occurred: connection reset", "Restarting runner..."] * RESTART_LIMIT
    loop = judge(*again, exit_code=None)
    assert loop.reason is Reason.RUNNER_RESTART_LOOP
    assert "connection reset" in loop.detail
    assert conversation(*again).restart_loop
    served = judge(*again, started("a"), finished("a", "Succeeded"))
    assert served.reason is Reason.JOB_SERVED
    assert not conversation(*again, started("a")).restart_loop


def test_the_figures_of_a_conversation() -> None:
    said = conversation(*LISTENING, "Exiting...")
    assert (said.version, said.listening_at, said.exiting) == ("2.336.0", AT, True)
    assert not said.job_seen
    assert said.job_result is None


LINES = st.lists(
    st.sampled_from(
        [*LISTENING, *EXIT, started("a"), finished("a", "Failed"), received(), ended("Failed"), "Restarting runner...", "Exiting with unknown error code: 137"]
    )
)  # fmt: skip


@given(lines=LINES, exit_code=st.none() | st.integers(-64, 255), files_left=st.booleans())
def test_every_conversation_has_an_outcome(
    *, lines: list[str], exit_code: int | None, files_left: bool
) -> None:
    got = judge(*lines, exit_code=exit_code, files_left=files_left)
    assert "\n" not in got.detail
    assert (got.reason is Reason.JOB_SERVED) == (got.job_result is JobResult.FAILED)
