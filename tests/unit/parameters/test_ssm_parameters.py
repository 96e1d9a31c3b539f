"""The two parameters read over real HTTP: decrypted, absent, refused, throttled, out of reach."""

import json
import time
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from agent.aws import Clients
from agent.errors import AwsError, ConfigError
from agent.localcloud.aws import AwsServer
from agent.localcloud.faults import BlackHole
from agent.outcome import Reason
from agent.parameters.runner_config import MAX_PARAMETER_CHARS
from agent.parameters.ssm import Parameters
from tests.unit.parameters.conftest import (
    CONFIG,
    CREDENTIAL,
    GOOD,
    INSTANCE,
    PREFIX,
    REGION,
    SECRET,
    Answering,
    ParametersAt,
    Store,
)


@pytest.mark.parametrize("kind", ["SecureString", "String"])
def test_a_config_is_read_in_clear_however_it_is_kept(store: Store, kind: str) -> None:
    store.put(CONFIG, GOOD, kind)
    config = store.parameters.read()
    assert config is not None
    assert (config.repo, config.secrets) == ("octo/hello", (SECRET,))
    assert store.calls() == [("GetParameter", 200), ("GetParameter", 400)]


def test_the_credential_is_read_too_and_wins(store: Store) -> None:
    store.put(CONFIG, GOOD)
    store.put(CREDENTIAL, {"jit_token": "A-LATER-TOKEN"})
    config = store.parameters.read()
    assert config is not None
    assert config.secrets == ("A-LATER-TOKEN",)


def test_no_config_is_none_and_the_credential_is_not_asked_for(store: Store) -> None:
    store.put(CREDENTIAL, {"jit_token": SECRET})
    assert store.parameters.read() is None
    assert store.calls() == [("GetParameter", 400)]


def test_another_instances_config_is_not_this_ones(store: Store) -> None:
    store.put(f"{PREFIX}/i-0fedcba9876543210/config", GOOD)
    assert store.parameters.read() is None


def test_a_config_that_appears_later_is_found(store: Store) -> None:
    assert store.parameters.read() is None
    store.put(CONFIG, GOOD)
    assert store.parameters.read() is not None


@pytest.mark.parametrize(
    ("status", "code", "mend"),
    [
        (400, "AccessDeniedException", f"give the instance role `ssm:GetParameter` on {CONFIG}"),
        (400, "UnrecognizedClientException", "instance profile"),
        (400, "ExpiredTokenException", "check the clock"),
        (400, "InvalidKeyId", "look up InvalidKeyId"),
    ],
)
def test_a_refusal_is_no_missing_config_but_final_and_one_line(
    store: Store, status: int, code: str, mend: str
) -> None:
    store.put(CONFIG, GOOD)
    store.faults.fail("ssm", "GetParameter", status=status, code=code)
    with pytest.raises(AwsError) as caught:
        store.parameters.read()
    assert not caught.value.transient
    assert caught.value.reason is Reason.AWS_REFUSED
    assert caught.value.what.startswith(f"ssm:GetParameter on {CONFIG}: AWS answered {code}")
    assert mend in caught.value.mend
    assert "\n" not in str(caught.value)
    assert store.calls() == [("GetParameter", status)]


def test_a_refused_credential_is_not_taken_for_a_missing_one(store: Store) -> None:
    store.put(CONFIG, GOOD)
    store.faults.slow("ssm", "GetParameter", seconds=0.0, times=1)
    store.faults.fail("ssm", "GetParameter", status=400, code="AccessDeniedException")
    with pytest.raises(AwsError) as caught:
        store.parameters.read()
    assert CREDENTIAL in caught.value.what
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ThrottlingException"), (500, "InternalServerError"), (503, "Unavailable")],
)
def test_a_throttled_read_is_an_outage_no_missing_config_and_works_later(
    store: Store, status: int, code: str
) -> None:
    store.put(CONFIG, GOOD)
    store.faults.fail("ssm", "GetParameter", times=1, status=status, code=code)
    with pytest.raises(AwsError, match=code) as caught:
        store.parameters.read()
    assert caught.value.transient
    assert caught.value.reason is Reason.AWS_UNAVAILABLE
    assert store.parameters.read() is not None


def test_the_agents_own_client_gets_through_one_throttled_call(
    server: AwsServer, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "AGENT",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    store.put(CONFIG, GOOD)
    store.faults.fail("ssm", "GetParameter", times=1, status=400, code="ThrottlingException")
    assert Parameters(Clients(REGION).get("ssm"), PREFIX, INSTANCE).read() is not None
    assert [status for _, status in store.calls()] == [400, 200, 400]


@pytest.mark.parametrize("which", [CONFIG, CREDENTIAL], ids=["config", "credential"])
def test_an_over_long_parameter_is_refused_with_its_length_and_not_quoted(
    store: Store, which: str
) -> None:
    store.put(CONFIG, GOOD)
    store.put(which, GOOD | {"padding": "x" * MAX_PARAMETER_CHARS})
    with pytest.raises(ConfigError, match=rf"^{which} is \d+ characters long") as caught:
        store.parameters.read()
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_largest_parameter_that_ssm_takes_is_read(store: Store) -> None:
    text = json.dumps(GOOD | {"padding": ""})
    store.put(CONFIG, text.replace('""', f'"{"x" * (8192 - len(text))}"'))
    config = store.parameters.read()
    assert config is not None
    assert config.ignored == ("padding",)


def test_an_endpoint_that_nobody_serves_is_an_outage(
    parameters_at: ParametersAt,
) -> None:
    parameters = parameters_at("http://127.0.0.1:9")
    for call in (parameters.read, parameters.delete):
        with pytest.raises(AwsError, match="VPC endpoint for ssm") as caught:
            call()
        assert caught.value.transient


def test_an_endpoint_that_never_answers_is_an_outage_in_the_clients_own_time(
    parameters_at: ParametersAt,
) -> None:
    began = time.monotonic()
    with BlackHole() as hole, pytest.raises(AwsError, match="ReadTimeoutError") as caught:
        parameters_at(hole.url, 0.3).read()
    assert caught.value.transient
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("status", [500, 502])
def test_a_gateways_page_with_a_server_error_is_an_outage(
    answering: Answering,
    parameters_at: ParametersAt,
    status: int,
) -> None:
    parameters = parameters_at(answering(Response("<html>ill</html>", status)))
    with pytest.raises(AwsError, match=f"AWS answered {status}") as caught:
        parameters.read()
    assert caught.value.transient


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>log in</html>"), (200, ""), (200, "{}"), (200, "[]"), (407, "[]")],
    ids=["html", "empty", "no-parameter", "list", "refusal-as-list"],
)
def test_a_text_that_is_no_answer_of_ssm_is_an_aws_error(
    answering: Answering,
    parameters_at: ParametersAt,
    status: int,
    body: str,
) -> None:
    parameters = parameters_at(answering(Response(body, status)))
    with pytest.raises(AwsError):
        parameters.read()
