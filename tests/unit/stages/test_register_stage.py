"""Registration with the stand-in's real `config.sh`, and everything that it may answer."""

import base64
import json
import stat
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock, rfc3339
from agent.errors import (
    AgentError,
    ConfigError,
    Interrupted,
    RegistrationError,
    RunnerDirError,
    TokenExpired,
)
from agent.localcloud.runner.build import unpack_for_tests
from agent.localcloud.runner.scenario import Configure, Scenario
from agent.parameters.runner_config import RunnerConfig
from agent.stages.context import RunContext
from agent.stages.fetch_config import fetch_config
from agent.stages.register import register
from tests.unit.stages.conftest import QUICK, Machine

JIT_FILES = (".runner", ".credentials", ".credentials_rsaparams")


def prepared(machine: Machine, configure: Configure = "ok", **config: Any) -> tuple[RunContext, RunnerConfig]:  # fmt: skip
    """A runner in its place and its config at hand."""
    machine.cloud.write_config(**config)
    scenario = Scenario(time_scale=QUICK.time_scale, configure=configure)
    unpack_for_tests(scenario, machine.runner_dir)
    run = machine.run()
    return run, fetch_config(run, deadline=machine.in_seconds(5))


def refusal(run: RunContext, config: RunnerConfig) -> AgentError:
    with pytest.raises(AgentError) as caught:
        register(run, config)
    text = str(caught.value)
    assert "\n" not in text
    assert not any(secret in text for secret in config.secrets)
    assert run.progress.registered is None
    return caught.value


def test_a_token_registers_through_config_sh_once(machine: Machine) -> None:
    run, config = prepared(machine, cache_url="http://cache", cache_token="for-the-job")
    register(run, config)
    register(run, config)
    (known,) = machine.cloud.github.runners
    assert known.labels == ("self-hosted", "linux", "runs-fleet")
    assert known.url.endswith("/octo-org/hello-world")
    env = (machine.runner_dir / ".env").read_text()
    assert "ACTIONS_CACHE_URL=http://cache\n" in env
    assert run.progress.registered is not None
    assert run.progress.registered.how == "token"
    assert run.redactor.mask("the key is standin-private-key") == "the key is ***"


def test_a_jit_config_is_nothing_but_files(machine: Machine) -> None:
    run, config = prepared(
        machine, jit_token=None, jit_config=machine.cloud.encoded_jit_config("jit-runner")
    )
    register(run, config)
    for name in JIT_FILES:
        assert stat.S_IMODE((machine.runner_dir / name).stat().st_mode) == 0o600
    assert json.loads((machine.runner_dir / ".runner").read_bytes())["AgentName"] == "jit-runner"
    assert machine.cloud.github.runners == []


@pytest.mark.parametrize(
    ("jit", "named"),
    [
        ("%%% canary", "is not base64"),
        (base64.b64encode(b"canary").decode(), "holds no JSON object"),
        (base64.b64encode(b'{".runner": "e30="}').decode(), "lacks .credentials"),
        (base64.b64encode(b'{".runner": "canary!"}').decode(), ".credentials"),
    ],
    ids=["not base64", "not JSON", "half", "files not base64"],
)
def test_a_jit_config_that_is_none_is_refused(machine: Machine, jit: str, named: str) -> None:
    error = refusal(*prepared(machine, jit_config=jit))
    assert isinstance(error, ConfigError)
    assert named in error.what
    assert "canary" not in error.what


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/cron.d/x", "bin/Runner.Listener"])
def test_a_jit_config_that_names_a_path_writes_nothing(machine: Machine, name: str) -> None:
    jit = machine.cloud.encoded_jit_config("evil", {name: b"{}"})
    error = refusal(*prepared(machine, jit_config=jit))
    assert isinstance(error, ConfigError)
    assert "a file with a path in it" in error.what
    assert not (machine.runner_dir / ".runner").exists()


@pytest.mark.parametrize(
    ("configure", "kind", "transient"),
    [
        ("not_found", TokenExpired, False),
        ("unauthorized", RegistrationError, False),
        ("server_error", RegistrationError, True),
        ("missing_dependency", RegistrationError, False),
        ("leaves_nothing", RegistrationError, False),
    ],
)
def test_what_config_sh_answers_is_one_named_error(
    machine: Machine, configure: Configure, kind: type[AgentError], *, transient: bool
) -> None:
    error = refusal(*prepared(machine, configure))
    assert type(error) is kind
    assert error.transient is transient


def test_an_answer_of_500_may_be_over_at_the_next_try(machine: Machine) -> None:
    run, config = prepared(machine, "server_error_once")
    assert refusal(run, config).transient
    register(run, config)
    assert run.progress.registered is not None


def test_a_config_sh_that_hangs_ends_with_the_stop_and_leaves_no_process(machine: Machine) -> None:
    run, config = prepared(machine, "hang")
    stop = threading.Event()
    late = threading.Timer(1.0, stop.set)
    late.start()
    began = run.clock.monotonic()
    with pytest.raises((Interrupted, RegistrationError)):
        register(run, config, stop=stop)
    late.join()
    assert run.clock.monotonic() - began < 30


def test_a_config_sh_that_is_missing_names_the_runner_directory(machine: Machine) -> None:
    run, config = prepared(machine)
    (machine.runner_dir / "config.sh").unlink()
    error = refusal(run, config)
    assert isinstance(error, RunnerDirError)
    assert "config.sh" in error.what


def test_a_token_past_its_hour_is_not_even_tried(machine: Machine) -> None:
    an_hour_ago = SystemClock().utc() - timedelta(minutes=61)
    run, config = prepared(machine, created_at=rfc3339(an_hour_ago))
    error = refusal(run, config)
    assert isinstance(error, TokenExpired)
    assert "61 minutes ago" in error.what
    assert not (machine.workdir / "state/logs/config.log").exists()


def test_a_runner_that_is_configured_already_names_the_image(machine: Machine) -> None:
    run, config = prepared(machine)
    (machine.runner_dir / ".runner").write_text("{}")
    assert "image" in refusal(run, config).mend


def test_a_cache_token_with_a_line_in_it_is_refused(machine: Machine) -> None:
    error = refusal(*prepared(machine, cache_token="x\nEVIL=1"))
    assert isinstance(error, ConfigError)
    assert "ACTIONS_CACHE_TOKEN" in error.what


def test_the_token_is_on_no_command_line_while_config_sh_runs(machine: Machine) -> None:
    run, config = prepared(machine, "hang")
    assert config.jit_token is not None
    token = config.jit_token.get_secret_value().encode()
    stop, seen = threading.Event(), list[bytes]()

    def look() -> None:
        deadline = machine.in_seconds(30)
        while not deadline.expired and not any(b"--unattended" in line for line in seen):
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    seen.append((folder / "cmdline").read_bytes())
        stop.set()

    looking = threading.Thread(target=look)
    looking.start()
    with pytest.raises(AgentError):
        register(run, config, stop=stop)
    looking.join()
    assert any(b"--unattended" in line for line in seen)
    assert not any(token in line for line in seen)
