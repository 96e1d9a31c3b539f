"""Registers the runner: `config.sh` for a registration token, nothing but files for a JIT config."""

import logging
import threading
from datetime import timedelta
from pathlib import Path

from agent.errors import RegistrationError, RunnerDirError, TokenExpired
from agent.events import event, warning
from agent.journal.facts import Registered
from agent.parameters.runner_config import RunnerConfig
from agent.runner.commands import TOKEN_VARIABLE, configure_command, environment
from agent.runner.files import registered, secrets_on_disk, write_env, write_jit_files
from agent.runner.process import kill_inside
from agent.runner.refusal import configure_failure
from agent.runner.start import run_to_end
from agent.runner.user import RunnerUser, runner_user
from agent.stages.context import RunContext

log = logging.getLogger(__name__)

TOKEN_LIFE = timedelta(minutes=55)
"""GitHub's registration tokens live for an hour; one that may die on the way is not tried."""
CONFIGURE_SECONDS = 110.0
"""Leaves the task's 120 s time to kill `config.sh` and everything that it started."""


def register(run: RunContext, config: RunnerConfig, *, stop: threading.Event | None = None) -> None:
    """Makes the runner in the runner directory one that GitHub knows, and writes its `.env`.

    Raises:
        TokenExpired: the token is too old, or GitHub answers 404 to it.
        RegistrationError: `config.sh` failed; `transient` tells whether another try may help.
        ConfigError: the JIT config cannot be used.
        Interrupted: a stop was asked for.
    """
    if run.progress.registered is not None:
        return
    began = run.clock.monotonic()
    if run.closed_off is not None:
        run.closed_off.wait()
    user = runner_user(run.settings.runner_user)
    if not run.is_new:
        # Of an agent that died here, a `config.sh` may still be at work; two at once would meet in the same files.
        kill_inside(run.settings.runner_dir, uid=user.uid, clock=run.clock)
    if config.jit_config is not None:
        write_jit_files(run.settings.runner_dir, config.jit_config.get_secret_value(), user)
        how = "jit"
    elif not run.is_new and run.progress.placed and registered(run.settings.runner_dir):
        how = "before"
    else:
        _configure(run, config, user, stop or run.stop.event)
        how = "token"
    _write_env(run, config, user)
    run.redactor.add(*secrets_on_disk(run.settings.runner_dir))
    seconds = run.seconds_since(began)
    run.journal.add(Registered(run.journal.now(), how=how, seconds=seconds))
    name = config.name_on(run.instance_id)
    event(log, "runner.registered", how=how, name=name, seconds=seconds)


def _configure(
    run: RunContext, config: RunnerConfig, user: RunnerUser, stop: threading.Event
) -> None:
    assert config.jit_token is not None  # noqa: S101 - the runner config holds one of the two
    _refuse_an_old_token(run, config)
    settings = run.settings
    url = config.registration_url(settings.github_url)
    output = run.spool.config
    run.follow_runner_log(output)
    before = output.stat().st_size if output.exists() else 0
    command = configure_command(
        url=url,
        name=config.name_on(run.instance_id),
        labels=config.labels,
        group=config.runner_group or None,
    )
    token = {TOKEN_VARIABLE: config.jit_token.get_secret_value()}
    exit_code = run_to_end(
        command,
        cwd=settings.runner_dir,
        env=environment(user, run.environment, token),
        user=user,
        output=output,
        timeout_seconds=CONFIGURE_SECONDS,
        stop=stop,
        clock=run.clock,
    )
    said = _since(output, before)
    if exit_code != 0:
        raise configure_failure(said, url)
    if not registered(settings.runner_dir):
        raise RegistrationError(
            "config.sh ended with status 0, but left no .runner and .credentials behind",
            mend="read its lines in the runner stream",
        )


def _since(output: Path, offset: int) -> str:
    try:
        return output.read_bytes()[offset:].decode(errors="replace")
    except OSError as exc:
        warning(log, "config.output_unreadable", error=exc)
        return ""


def _refuse_an_old_token(run: RunContext, config: RunnerConfig) -> None:
    if config.created_at is None:
        return
    age = run.clock.utc() - config.created_at
    if age > TOKEN_LIFE:
        minutes = int(age.total_seconds() // 60)
        raise TokenExpired(
            f"the registration token was made {minutes} minutes ago and they live for an hour; it was not tried",
            mend="write the runner config sooner after minting the token",
        )


def _write_env(run: RunContext, config: RunnerConfig, user: RunnerUser) -> None:
    values = {}
    if config.cache_url:
        values["ACTIONS_CACHE_URL"] = config.cache_url
    if config.cache_token is not None:
        values["ACTIONS_CACHE_TOKEN"] = config.cache_token.get_secret_value()
    try:
        write_env(run.settings.runner_dir, values, user)
    except OSError as exc:
        raise RunnerDirError(
            f"{run.settings.runner_dir}/.env cannot be written: {exc.strerror}",
            mend="check the directory's owner and the free disk space",
        ) from exc
