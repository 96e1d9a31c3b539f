from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.outcome import Reason
from agent.settings import Settings

WRONG = {
    "RUNS_FLEET_INSTANCE_ID": ["me", "i-xyz", "i-0123456789abcdef01"],
    "AWS_REGION": ["Frankfurt", "eu central 1", "x" * 200],
    "RUNS_FLEET_SECRETS_PATH_PREFIX": ["runs-fleet", "/a b", "/"],
    "RUNS_FLEET_CONFIG_BUCKET": ["s3://bucket", "A", "has space"],
    "RUNS_FLEET_TERMINATION_QUEUE_URL": ["queue", "ftp://host/queue", "https://user:pw@host/q"],
    "RUNS_FLEET_LOG_GROUP": ["a group", "x" * 513],
    "RUNS_FLEET_SPOOL_MAX_MB": ["0", "nan", "much"],
    "RUNS_FLEET_METRICS_NAMESPACE": ["AWS:mine", "a b", "x" * 256],
    "RUNS_FLEET_RUNNER_VERSION": ["v2.336.0", "2.336", "newest", "2.336.0; rm -rf /"],
    "RUNS_FLEET_RUNNER_SHA256": ["abc", "G" * 64],
    "RUNS_FLEET_RUNNER_DIR": ["runner", "/"],
    "RUNS_FLEET_RUNNER_USER": ["Some User", "-x", "a" * 33],
    "RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE": ["maybe", "always"],
    "RUNS_FLEET_JOB_MAX_PROCESSES": ["0", "63", "many"],
    "RUNS_FLEET_STATE_DIR": ["state", "/"],
    "RUNS_FLEET_GITHUB_API_URL": ["api.github.com", "file:///etc/passwd"],
    "RUNS_FLEET_GITHUB_URL": ["github.com"],
    "RUNS_FLEET_MAX_RUNTIME_MINUTES": ["0", "-1", "12abc", "nan", "inf", "1e9"],
    "RUNS_FLEET_STANDBY_DEADLINE_MINUTES": ["0", "two"],
    "RUNS_FLEET_JOB_WAIT_MINUTES": ["0", "never"],
    "RUNS_FLEET_GRACE_SECONDS": ["-90", "90s"],
    "RUNS_FLEET_CHECK_INTERVAL_SECONDS": ["0", "nan"],
    "RUNS_FLEET_DISK_MIN_FREE_MB": ["-1", "lots"],
    "RUNS_FLEET_MEMORY_WARN_MB": ["-1", "nan"],
    "RUNS_FLEET_SPOT_POLL_SECONDS": ["-1", "61", "often"],
    "RUNS_FLEET_NOTIFY_TIMEOUT_SECONDS": ["0", "x"],
    "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": ["0", "x"],
    "RUNS_FLEET_DRY_RUN": ["maybe", "2"],
    "RUNS_FLEET_STANDBY_POLL_SECONDS": ["0", "-1", "often"],
    "RUNS_FLEET_STOP_ON_REBALANCE": ["sometimes"],
    "RUNS_FLEET_STOCK_PREFECT": ["perhaps"],
    "PREFECT_API_URL": ["localhost:4200"],
}
ANY_VALUE = {"RUNS_FLEET_GITHUB_TOKEN", "RUNS_FLEET_POWER_OFF_COMMAND"}


def names() -> set[str]:
    return {str(field.alias) for field in Settings.model_fields.values()}


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = Settings.from_environment({})
    assert settings.runner_dir == Path("/opt/actions-runner")
    assert settings.log_group == "/runs-fleet/agent"
    assert (settings.max_runtime_minutes, settings.grace_seconds) == (360, 90)
    assert settings.power_off_command is None
    assert settings.dry_run is False


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_refused_in_one_line_that_names_variable_and_value(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    text = str(caught.value)
    assert name in text
    assert value[:60] in text
    assert "\n" not in text
    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_every_variable_has_a_wrong_value_above_or_takes_any_text() -> None:
    assert names() == set(WRONG) | ANY_VALUE


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"GRACE_SECONDS.*DRY_RUN"):
        Settings.from_environment({"RUNS_FLEET_GRACE_SECONDS": "x", "RUNS_FLEET_DRY_RUN": "x"})


def test_the_github_token_is_never_shown() -> None:
    settings = Settings.from_environment({"RUNS_FLEET_GITHUB_TOKEN": "ghp_verysecret"})
    assert "verysecret" not in repr(settings) + str(settings)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"RUNS_FLEET_RUNNER_DIR": ""}) == Settings.from_environment({})


def test_an_empty_log_group_turns_shipping_off() -> None:
    assert Settings.from_environment({"RUNS_FLEET_LOG_GROUP": ""}).log_group == ""
    assert Settings.from_environment({"RUNS_FLEET_METRICS_NAMESPACE": ""}).metrics_namespace == ""


def test_fractions_of_a_minute_are_allowed() -> None:
    environment = {"RUNS_FLEET_MAX_RUNTIME_MINUTES": "0.05"}
    assert Settings.from_environment(environment).max_runtime_minutes == 0.05


def test_an_instance_is_ended_with_the_usable_part_of_wrong_settings() -> None:
    environment = {
        "RUNS_FLEET_GRACE_SECONDS": "x",
        "RUNS_FLEET_INSTANCE_ID": "i-0123456789abcdef0",
        "AWS_REGION": "eu-central-1",
    }
    usable = Settings.usable_part(environment)
    assert usable.instance_id == "i-0123456789abcdef0"
    assert usable.grace_seconds == 90


def test_whoever_meant_a_dry_run_gets_no_terminate_call_for_a_typing_error() -> None:
    assert Settings.usable_part({"RUNS_FLEET_DRY_RUN": "ture"}).dry_run
