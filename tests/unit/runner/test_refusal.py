import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RegistrationError, TokenExpired
from agent.runner.says import configure_failure

URL = "https://github.com/octo/repo"
HEAD = (
    "\n"
    + "-" * 80
    + "\n|  Self-hosted runner registration  |\n"
    + "-" * 80
    + "\n\n# Authentication\n\n"
)


def http(word: str, number: int) -> str:
    return (
        f"Http response code: {word} from 'POST https://api.github.com/actions/runner-registration' (Request Id: 1:2)\n"
        f'{{"message":"{word}","status":"{number}"}}\n'
        f"Response status code does not indicate success: {number} ({word}).\n"
    )


def test_a_404_is_an_expired_token_or_a_wrong_url_and_final() -> None:
    error = configure_failure(HEAD + http("NotFound", 404), URL)
    assert isinstance(error, TokenExpired)
    assert not error.transient
    assert "token has expired, or the URL is wrong" in error.what
    assert URL in error.what


@pytest.mark.parametrize(
    ("word", "number"), [("Unauthorized", 401), ("Forbidden", 403), ("Conflict", 409)]
)
def test_a_refusal_is_final(word: str, number: int) -> None:
    error = configure_failure(HEAD + http(word, number) * 3, URL)
    assert (type(error), error.transient) == (RegistrationError, False)
    assert str(number) in error.what


@pytest.mark.parametrize(
    ("word", "number"),
    [("InternalServerError", 500), ("BadGateway", 502), ("TooManyRequests", 429), ("Unknown", 599)],
)
def test_an_outage_may_be_over_a_little_later(word: str, number: int) -> None:
    assert configure_failure(HEAD + http(word, number) * 3, URL).transient


def test_the_last_of_the_runners_own_attempts_decides() -> None:
    output = HEAD + http("InternalServerError", 500) + http("NotFound", 404)
    assert isinstance(configure_failure(output, URL), TokenExpired)


@pytest.mark.parametrize(
    "line",
    [
        "Connection refused (api.github.com:443)",
        "Name or service not known (api.github.com:443)",
        "The SSL connection could not be established, see inner exception.",
        "The HTTP request timed out after 00:01:40.",
    ],
)
def test_a_connection_error_may_be_over_a_little_later(line: str) -> None:
    error = configure_failure(HEAD + line, URL)
    assert error.transient
    assert line.rstrip(".") in error.what


@pytest.mark.parametrize(
    ("output", "mend"),
    [
        ("Libicu's dependencies is missing for Dotnet Core 6.0\nExecute sudo ./bin/installdependencies.sh to install any missing Dotnet Core 6.0 dependencies.", "installdependencies.sh"),
        ("Can not find 'ldd'. Please install 'ldd' and try again.", "dnf install libicu"),
        ("A runner exists with the same name i-1.", "runner_name"),
        ('Could not find any self-hosted runner group named "fast".', "runner_group"),
        ("The local machine's clock may be out of sync with the server time by more than five minutes. Please sync your clock", "chrony"),
        ("Must not run with sudo", "RUNS_FLEET_RUNNER_USER"),
        ("Cannot configure the runner because it is already configured. To reconfigure the runner, run 'config.cmd remove' or './config.sh remove' first.", "remove .runner"),
        ("Invalid configuration provided for url. Terminating unattended configuration.", "runner config"),
    ],
)  # fmt: skip
def test_a_known_cause_is_named_with_its_mend_and_final(output: str, mend: str) -> None:
    error = configure_failure(HEAD + output + "\n", URL)
    assert not error.transient
    assert mend in error.mend
    assert output.splitlines()[0][:40] in error.what


def test_a_replaced_runner_of_the_same_name_is_no_cause() -> None:
    output = (
        HEAD
        + "A runner exists with the same name\n√ Successfully replaced the runner\n\nsome odd failure\n"
    )
    assert configure_failure(output, URL).what.endswith("some odd failure")


def test_an_unknown_failure_shows_the_last_line_and_is_final() -> None:
    error = configure_failure(HEAD + "Something new went wrong\n\n-----\n", URL)
    assert error.what.endswith("Something new went wrong")
    assert not error.transient


def test_silence_is_said_to_be_silence() -> None:
    assert "without a word" in configure_failure("", URL).what


@given(st.text())
def test_no_output_is_too_odd(output: str) -> None:
    assert "\n" not in str(configure_failure(output, URL))
