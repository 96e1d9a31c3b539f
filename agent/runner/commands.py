"""Command lines and environment of `config.sh` and `run.sh`: what the job will see, and nothing else."""

import re
from collections.abc import Mapping, Sequence

from agent.errors import ConfigError
from agent.runner.user import RunnerUser

TOKEN_VARIABLE = "ACTIONS_RUNNER_INPUT_TOKEN"  # noqa: S105 - the name of a variable
"""Takes the registration token past every argv; for `config.sh` only. The listener removes it from its environment at once."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PASSED_ON = re.compile(
    r"""
      PATH | LANG | LC_[A-Z]+ | TZ
    | (?: http | https | no | all )_proxy | (?: HTTP | HTTPS | NO | ALL )_PROXY
    | SSL_CERT_FILE | SSL_CERT_DIR | NODE_EXTRA_CA_CERTS | GIT_SSL_CAINFO
    | AGENT_TOOLSDIRECTORY | RUNNER_TOOLSDIRECTORY | RUNNER_TOOL_CACHE | ImageOS | ImageVersion
    | ACTIONS_RUNNER_HOOK_[A-Z_]+ | ACTIONS_RUNNER_CONTAINER_HOOKS | ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER
    | ACTIONS_RUNNER_ACTION_ARCHIVE_CACHE | ACTIONS_RUNNER_SYMLINK_CACHED_ACTIONS
    | RUNNER_UPDATE_CA_CERTS | RUNNER_WAIT_FOR_DOCKER_IN_SECONDS | DOCKER_HOST
    """,
    re.VERBOSE,
)
_NEVER = ("AWS_", "RUNS_FLEET_", "PREFECT_")


def environment(
    user: RunnerUser, base: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of a runner script: an allow-list, because every step inherits it.

    Args:
        user: whose HOME, USER, LOGNAME and SHELL it gets.
        base: the agent's own environment; only what the allow-list names is taken from it.
        extra: set on top, such as `TOKEN_VARIABLE` for `config.sh`.

    Raises:
        ValueError: `extra` holds a variable of the agent's own, which no job may see.
    """
    for name in extra or {}:
        if name.startswith(_NEVER):
            raise ValueError(f"{name} must never reach a job")
    passed_on = {name: value for name, value in base.items() if _PASSED_ON.fullmatch(name)}
    return {"PATH": DEFAULT_PATH, **passed_on, **_of_the_user(user), **_SWITCHES, **(extra or {})}


_SWITCHES = {
    # run.sh turns SIGTERM into SIGINT for the listener and waits for it, instead of leaving it behind.
    "RUNNER_MANUALLY_TRAP_SIG": "1",
    # run.sh ends with 7, not 0, when GitHub refuses this version.
    "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1",
}


def _of_the_user(user: RunnerUser) -> dict[str, str]:
    own = {
        "HOME": str(user.home),
        "USER": user.name,
        "LOGNAME": user.name,
        "SHELL": user.shell,
    }
    return own if user.uid != 0 else {**own, "RUNNER_ALLOW_RUNASROOT": "1"}


def configure_command(
    *, url: str, name: str, labels: Sequence[str], group: str | None = None
) -> list[str]:
    """`config.sh` for an ephemeral runner, to be run in the runner directory; never with the token in it.

    Raises:
        ConfigError: a value starts with `-`: the runner would silently ignore it; or a label holds a comma.
    """
    values = {"--url": url, "--name": name, "--labels": ",".join(labels), "--work": "_work"}
    if group:
        values["--runnergroup"] = group
    for what, value in values.items():
        if value.startswith("-") or not value.isprintable():
            raise ConfigError(
                f"config.sh cannot take {value!r} for {what}",
                mend="give the runner config a value of printable characters that does not start with `-`",
            )
    if any("," in label or label.startswith("-") for label in labels):
        raise ConfigError(
            f"a label of {list(labels)} starts with `-` or holds a comma",
            mend="mend `labels` in the runner config",
        )
    flags = ["--unattended", "--ephemeral", "--disableupdate", "--replace"]
    given = [word for option, value in values.items() if value for word in (option, value)]
    return ["./config.sh", *flags, *given]


def run_command() -> list[str]:
    """`run.sh`, to be run in the runner directory: it looks for its files in the current directory."""
    return ["./run.sh"]
