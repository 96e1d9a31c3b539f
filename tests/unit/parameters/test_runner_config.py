import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.parameters.runner_config import RunnerConfig, parse

WHERE = "/runs-fleet/runners/i-0123456789abcdef0/config"
GOOD: dict[str, Any] = {
    "org": "acme",
    "repo": "acme/shop",
    "run_id": "17",
    "jit_token": "TOKEN-very-secret",
    "labels": ["self-hosted", "runs-fleet=17/cpu=4"],
    "job_id": "4711",
    "is_org": False,
    "created_at": "2026-11-23T07:42:18.123456789Z",
    "cache_token": "CACHE-very-secret",
    "buildkit_cache_bucket": "ignored",
}


def config(**changes: Any) -> RunnerConfig:
    data = {**GOOD, **changes}
    return parse(json.dumps({k: v for k, v in data.items() if v is not None}), None, where=WHERE)


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config(**changes)
    text = str(caught.value)
    assert "\n" not in text
    assert "very-secret" not in text
    assert WHERE in text
    return text


def test_what_the_orchestrator_writes_becomes_one_typed_value() -> None:
    given = config()
    assert given.repo == "acme/shop"
    assert given.labels == ("self-hosted", "runs-fleet=17/cpu=4")
    assert given.created_at is not None
    assert given.created_at.utcoffset() is not None
    assert given.ignored == ("buildkit_cache_bucket",)


def test_secrets_are_known_and_never_shown() -> None:
    assert set(config().secrets) == {"TOKEN-very-secret", "CACHE-very-secret"}
    assert "very-secret" not in repr(config()) + str(config())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"run_id": None}, "run_id"),
        ({"run_id": 17}, "run_id"),
        ({"org": None, "repo": None}, "`org` or `repo`"),
        ({"repo": "shop"}, "repo"),
        ({"repo": "acme/shop/../../x"}, "repo"),
        ({"labels": None}, "labels"),
        ({"labels": []}, "labels"),
        ({"labels": "self-hosted"}, "labels"),
        ({"labels": ["a", 7]}, r"labels[1]"),
        ({"labels": ["-x"]}, "start with `-`"),
        ({"labels": ["a,b"]}, "comma"),
        ({"labels": ["a\nb"]}, "newline"),
        ({"labels": ["x" * 257]}, "256"),
        ({"runner_name": "-rf"}, "start with `-`"),
        ({"runner_name": "a\nb"}, "newline"),
        ({"runner_name": "x" * 65}, "64"),
        ({"runner_group": "-g"}, "runner_group"),
        ({"jit_token": 5}, "jit_token"),
        ({"is_org": "no"}, "is_org"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-11-23T07:42:18"}, "created_at"),
    ],
    ids=str,
)
def test_a_fault_is_named_in_one_line_without_a_secret(changes: Any, named: str) -> None:
    assert named in refusal(**changes)


def test_all_faults_are_named_at_once() -> None:
    text = refusal(run_id=17, repo="shop")
    assert "run_id" in text
    assert "repo" in text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\ud800", "[" * 60_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        parse(text, None, where=WHERE)


def test_an_over_long_parameter_is_refused_without_being_quoted() -> None:
    with pytest.raises(ConfigError, match="70000 characters long"):
        parse("x" * 70_000, None, where=WHERE)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_a_config_or_a_config_error(value: Any) -> None:
    with pytest.raises(ConfigError):
        parse(json.dumps({**GOOD, "labels": value, "run_id": value}), None, where=WHERE)


def test_go_s_empty_strings_mean_absent() -> None:
    given = config(jit_config="", runner_name="", termination_queue_url="", org="")
    assert given.jit_config is None
    assert given.name_on("i-1") == "runs-fleet-runner-i-1"


def test_no_credential_at_all_is_seen() -> None:
    assert not config(jit_token=None).has_credential


def test_the_credential_parameter_wins() -> None:
    given = parse(json.dumps(GOOD), json.dumps({"jit_config": "abcd"}), where=WHERE)
    assert given.jit_config is not None
    assert given.jit_config.get_secret_value() == "abcd"
    assert given.jit_token is None


def test_a_compressed_jit_config_is_unpacked_and_encoded_again() -> None:
    plain = b'{".runner": "e30="}'
    packed = base64.b64encode(gzip.compress(plain)).decode()
    credential = json.dumps({"jit_config": packed, "compressed": True})
    given = parse(json.dumps(GOOD), credential, where=WHERE)
    assert given.jit_config is not None
    assert base64.b64decode(given.jit_config.get_secret_value()) == plain


@pytest.mark.parametrize(
    "packed",
    [
        "%%%",
        base64.b64encode(b"no gzip").decode(),
        base64.b64encode(gzip.compress(b"x" * 100)[:-9]).decode(),
        base64.b64encode(gzip.compress(bytes(2_000_000))).decode(),
    ],
    ids=["not base64", "not gzip", "truncated", "a bomb"],
)
def test_a_bad_compressed_credential_is_refused(packed: str) -> None:
    credential = json.dumps({"jit_config": packed, "compressed": True})
    with pytest.raises(ConfigError, match="credential"):
        parse(json.dumps(GOOD), credential, where=WHERE)


def test_registration_is_at_the_repository_where_it_is_given() -> None:
    assert config().registration_url("https://github.com") == "https://github.com/acme/shop"
    assert config(repo=None).registration_url("https://ghes.acme") == "https://ghes.acme/acme"
