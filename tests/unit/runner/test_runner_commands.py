from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.runner.commands import (
    DEFAULT_PATH,
    TOKEN_VARIABLE,
    configure_command,
    environment,
    run_command,
)
from agent.runner.user import RunnerUser

USER = RunnerUser("ci", 1001, 1001, Path("/home/ci"), (1001,), switch=False)
ROOT = RunnerUser("root", 0, 0, Path("/root"), (0,), switch=False)


def configure(
    name: str = "i-1", labels: tuple[str, ...] = ("a", "b"), group: str = ""
) -> list[str]:
    return configure_command(url="https://github.com/o/r", name=name, labels=labels, group=group)


def test_config_sh_registers_an_ephemeral_runner_that_does_not_update_itself() -> None:
    assert configure(group="fast") == [
        "./config.sh", "--unattended", "--ephemeral", "--disableupdate", "--replace",
        "--url", "https://github.com/o/r", "--name", "i-1", "--labels", "a,b", "--work", "_work",
        "--runnergroup", "fast",
    ]  # fmt: skip


def test_without_group_or_labels_the_runner_takes_its_defaults() -> None:
    assert not {"--runnergroup", "--labels"} & set(configure(labels=()))


@pytest.mark.parametrize("bad", ["-name", "two\nlines", "nul\0"])
def test_a_name_that_config_sh_would_misread_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        configure(name=bad)


@pytest.mark.parametrize("bad", ["-x", "a,b"])
def test_a_label_that_config_sh_would_misread_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="label"):
        configure(labels=("fine", bad))


def test_run_sh_takes_no_argument() -> None:
    assert run_command() == ["./run.sh"]


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_nothing_of_the_agents_own_ever_passes(base: dict[str, str]) -> None:
    secrets = {"AWS_X": "s", "RUNS_FLEET_X": "s", "PREFECT_X": "s", "aws_x": "s"}
    got = environment(USER, {**base, **secrets})
    assert not [name for name in got if name.upper().startswith(("AWS", "RUNS_FLEET", "PREFECT"))]


def test_the_environment_is_the_users_with_the_runners_switches() -> None:
    assert environment(USER, {"HOME": "/root", "USER": "root", "SHELL": "/bin/zsh"}) == {
        "PATH": DEFAULT_PATH,
        "HOME": "/home/ci",
        "USER": "ci",
        "LOGNAME": "ci",
        "SHELL": "/bin/bash",
        "RUNNER_MANUALLY_TRAP_SIG": "1",
        "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1",
    }


def test_only_root_is_told_that_root_is_allowed() -> None:
    assert environment(ROOT, {})["RUNNER_ALLOW_RUNASROOT"] == "1"
    assert "RUNNER_ALLOW_RUNASROOT" not in environment(USER, {"RUNNER_ALLOW_RUNASROOT": "1"})


def test_the_token_comes_on_top_for_config_sh_only() -> None:
    token = {TOKEN_VARIABLE: "AABB"}
    assert environment(USER, {}, token)[TOKEN_VARIABLE] == "AABB"
    assert TOKEN_VARIABLE not in environment(USER, token)


@pytest.mark.parametrize("name", ["AWS_REGION", "RUNS_FLEET_STATE_DIR", "PREFECT_API_URL"])
def test_not_even_a_caller_can_pass_the_agents_own_variables(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        environment(USER, {}, {name: "x"})
