import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.outcome import JobResult
from agent.runner import says
from agent.runner.says import Said, parse_diag, parse_output

AT = "2026-11-23 07:42:18Z"
GUID = "0f3c5a9e-7d1b-4c1e-9f00-1a2b3c4d5e6f"
DISPATCHER = f"[{AT} INFO JobDispatcher] "


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("√ Connected to GitHub", says.Connected()),
        ("? Connected to GitHub", says.Connected()),
        ("Current runner version: '2.336.0'", says.Version("2.336.0")),
        (f"{AT}: Listening for Jobs", says.Listening(AT)),
        (f"{AT}: Listening for Jobs\r\n", says.Listening(AT)),
        (f"{AT}: Running job: build (ubuntu, 3.11)", says.JobStarted("build (ubuntu, 3.11)")),
        (f"{AT}: Job build completed with result: Succeeded", says.JobFinished("build", JobResult.SUCCEEDED)),
        (f"{AT}: Job b completed with result: SucceededWithIssues", says.JobFinished("b", JobResult.SUCCEEDED)),
        (f"{AT}: Job b completed with result: Failed", says.JobFinished("b", JobResult.FAILED)),
        (f"{AT}: Job b completed with result: Canceled", says.JobFinished("b", JobResult.CANCELLED)),
        (f"{AT}: Job b completed with result: Skipped", says.JobFinished("b", JobResult.SKIPPED)),
        (f"{AT}: Job b completed with result: Abandoned", says.JobFinished("b", JobResult.ABANDONED)),
        ("√ Removed .credentials", says.Removed(".credentials")),
        ("Runner listener exit with 0 return code, stop the service, no retry needed.", says.ListenerExited(0)),
        ("Runner listener exit with terminated error, stop the service, no retry needed.", says.ListenerExited(1)),
        ("Runner listener exit with retryable error, re-launch runner in 5 seconds.", says.ListenerExited(2)),
        ("Runner listener exit because of updating, re-launch runner after successful update", says.ListenerExited(3)),
        ("Runner listener exit with Session Conflict error, stop the service, no retry needed.", says.ListenerExited(5)),
        ("Runner listener exit with deprecated version exit code: 7.", says.ListenerExited(7)),
        ("Exiting with unknown error code: 137", says.ListenerExited(137)),
        ("Restarting runner...", says.Restarting()),
        ("Exiting...", says.Exiting()),
        ("Exiting runner...", says.WrapperExiting()),
        ("A session for this runner already exists.", says.SessionConflict(final=False)),
        ("Stop retry on SessionConflictException after retried for 240 seconds.", says.SessionConflict(final=True)),
        (f"{AT}: Runner connect error: No route to host. Retrying until reconnected.", says.ConnectError("No route to host.")),
        (f"{AT}: Runner reconnected.", says.Reconnected()),
        ("The runner no longer exists on the server. Cleaning up local configuration.", says.RegistrationDeleted("The runner no longer exists on the server. Cleaning up local configuration.")),
        ("An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.", says.Deprecated("Runner version v2.300.0 is deprecated and cannot receive messages.")),
        ("An error occured: Runner version v2.300.0 is deprecated and cannot receive messages.", says.Deprecated("Runner version v2.300.0 is deprecated and cannot receive messages.")),
        ("An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.", says.TerminalError("Not configured. Run config.(sh/cmd) to configure the runner.")),
        ("An error occured: any", says.TerminalError("any")),
        ("Must not run interactively with sudo", says.TerminalError("Must not run interactively with sudo")),
        ("Failed to create session. Forbidden", says.TerminalError("Failed to create session. Forbidden")),
        ("Runner update in progress, do not shutdown runner.", says.Updating()),
    ],
)  # fmt: skip
def test_each_line_of_the_runner_is_understood(line: str, said: Said) -> None:
    assert parse_output(line) == said


def test_a_deleted_registration_is_told_apart_from_a_session_that_failed() -> None:
    line = "Failed to create a session. The runner registration has been deleted from the server, please re-configure."
    assert parse_output(line) == says.RegistrationDeleted(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"Job request 7 for plan p-1 job {GUID} received.", says.JobReceived(GUID)),
        (f"finish job request for job {GUID} with result: Failed", says.JobFinishedDiag(GUID, JobResult.FAILED)),
        (f"finish job request for job {GUID} with result: Odd", says.JobFinishedDiag(GUID, JobResult.UNKNOWN)),
        (f"Worker finished for job {GUID}. Code: 102", says.WorkerFinished(GUID, 102)),
    ],
)  # fmt: skip
def test_each_line_of_the_dispatcher_is_understood(line: str, said: Said) -> None:
    assert parse_diag(DISPATCHER + line) == said


@pytest.mark.parametrize(
    "line",
    [
        f"[{AT} INFO Terminal] WRITE LINE: {AT}: Job x completed with result: Succeeded",
        f"[{AT} INFO Terminal] WRITE LINE: {DISPATCHER}finish job request for job {GUID} with result: Succeeded",
        f" {DISPATCHER}finish job request for job {GUID} with result: Succeeded",
        f"{DISPATCHER}finish job request for job {GUID} with result: Succeeded, or not",
        f"{DISPATCHER}finish job request for job not-a-guid with result: Succeeded",
    ],
)
def test_an_echoed_or_decorated_line_says_nothing(line: str) -> None:
    assert parse_diag(line) is None
    assert parse_output(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x" * 1_000_000,
        f"{AT}: Running job: " + "x" * 1_000_000,
        f"say {AT}: Listening for Jobs",
    ],
)
def test_what_means_nothing_says_nothing(line: str) -> None:
    assert parse_output(line) is None


@given(st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=300))
@example(" completed with result: Succeeded")
def test_a_job_name_of_any_kind_comes_back_whole(name: str) -> None:
    assert parse_output(f"{AT}: Running job: {name}") == says.JobStarted(name)
    line = f"{AT}: Job {name} completed with result: Failed"
    assert parse_output(line) == says.JobFinished(name, JobResult.FAILED)


@given(st.text())
@example("Exiting with unknown error code: ٣")
@example("Exiting with unknown error code: " + "9" * 5000)
def test_no_text_is_too_odd(text: str) -> None:
    parse_output(text)
    parse_diag(text)
    parse_diag(DISPATCHER + text)
    parse_output(f"{AT}: {text}")
