"""The settings: one class, read once from the environment (contract section 2).

Every field is one variable: its alias is the variable's name, its description is the sentence in the README's table, its type
and bounds decide what is accepted.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agent.accepted import (
    AbsolutePath,
    Boolean,
    Bucket,
    InstanceId,
    LogGroup,
    MayUse,
    Namespace,
    ParameterPath,
    Positive,
    Region,
    Sha256,
    Url,
    UserName,
    Version,
)
from agent.errors import SettingsError, one_line

MEND = "mend it in the agent's environment, on an instance /etc/runs-fleet/agent.env"
METRICS_NAMESPACE = "RUNS_FLEET_METRICS_NAMESPACE"
MAY_BE_EMPTY = ("RUNS_FLEET_LOG_GROUP", METRICS_NAMESPACE)
"""An empty one turns off what it names."""
DRY_RUN = "RUNS_FLEET_DRY_RUN"


class Settings(BaseModel):
    """Everything that can be set; complete and valid once it exists. Secrets are masked in its `repr`."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    instance_id: InstanceId | None = Field(
        None,
        alias="RUNS_FLEET_INSTANCE_ID",
        description="the instance that `run` ends; from IMDS when not set",
    )
    region: Region | None = Field(
        None,
        alias="AWS_REGION",
        description="region of every AWS client; from IMDS when not set",
    )
    secrets_path_prefix: ParameterPath = Field(
        "/runs-fleet/runners",
        alias="RUNS_FLEET_SECRETS_PATH_PREFIX",
        description="SSM path prefix; `{prefix}/{instance_id}/config` and, where it exists, `…/credential` are read",
    )
    config_bucket: Bucket | None = Field(
        None,
        alias="RUNS_FLEET_CONFIG_BUCKET",
        description="S3 bucket of the runner cache; no cache when not set",
    )
    termination_queue_url: Url | None = Field(
        None,
        alias="RUNS_FLEET_TERMINATION_QUEUE_URL",
        description="SQS queue, standard or FIFO; wins over the runner config's `termination_queue_url`",
    )
    log_group: LogGroup = Field(
        "/runs-fleet/agent",
        alias="RUNS_FLEET_LOG_GROUP",
        description="CloudWatch Logs group; empty turns shipping off",
    )
    spool_max_mb: float = Field(
        512.0,
        alias="RUNS_FLEET_SPOOL_MAX_MB",
        ge=8,
        allow_inf_nan=False,
        description="of the log files in the state directory; past it the oldest is dropped, and a line in its place says how much",
    )
    metrics_namespace: Namespace = Field(
        "RunsFleetAgent",
        alias=METRICS_NAMESPACE,
        description="CloudWatch metrics of each job come from one line in the agent stream (embedded metric format); empty turns it off",
    )
    runner_version: Version = Field(
        "latest",
        alias="RUNS_FLEET_RUNNER_VERSION",
        description="`latest` or an exact version such as `2.336.0`",
    )
    runner_sha256: Sha256 | None = Field(
        None,
        alias="RUNS_FLEET_RUNNER_SHA256",
        description="pins the digest: with an exact version GitHub's API is not asked",
    )
    runner_dir: AbsolutePath = Field(
        Path("/opt/actions-runner"),
        alias="RUNS_FLEET_RUNNER_DIR",
        description="where the runner lives; one already there of the right version and digest is used as it is",
    )
    runner_user: UserName | None = Field(
        None,
        alias="RUNS_FLEET_RUNNER_USER",
        description="who runs `config.sh` and `run.sh`: `runner` when the agent is root, else the agent's own user",
    )
    job_may_use_instance_role: MayUse = Field(
        "false",
        alias="RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE",
        description="`false`: the instance metadata is closed to the job, a warning where that cannot be done; `never`: no job runs then; `true`: open to it",
    )
    job_max_processes: int | None = Field(
        None,
        alias="RUNS_FLEET_JOB_MAX_PROCESSES",
        ge=64,
        le=4_194_304,
        description="processes and threads of the runner's user; half of what the kernel can run when not set, so a fork bomb leaves the agent its own",
    )
    state_dir: AbsolutePath = Field(
        Path("/var/lib/runs-fleet"),
        alias="RUNS_FLEET_STATE_DIR",
        description="journal, spools, Prefect home; mode 0700",
    )
    github_api_url: Url = Field(
        "https://api.github.com",
        alias="RUNS_FLEET_GITHUB_API_URL",
        description="Releases API; for GHES or tests",
    )
    github_url: Url = Field(
        "https://github.com",
        alias="RUNS_FLEET_GITHUB_URL",
        description="where runners register; for GHES or tests",
    )
    github_token: SecretStr | None = Field(
        None,
        alias="RUNS_FLEET_GITHUB_TOKEN",
        min_length=1,
        description="only raises the API's rate limit; never needed",
    )
    max_runtime_minutes: Positive = Field(
        360.0,
        alias="RUNS_FLEET_MAX_RUNTIME_MINUTES",
        description="how long the runner may run, from its start; fractions allowed",
    )
    standby_deadline_minutes: Positive = Field(
        120.0,
        alias="RUNS_FLEET_STANDBY_DEADLINE_MINUTES",
        description="how long to wait for the runner config to appear (a warm spare)",
    )
    standby_poll_seconds: Positive = Field(
        30,
        alias="RUNS_FLEET_STANDBY_POLL_SECONDS",
        description="longest pause between two looks for the runner config; it grows from 1 s by a twentieth of the wait, so 1,000 spares stay under SSM's 40 calls a second",
    )
    job_wait_minutes: Positive = Field(
        10.0,
        alias="RUNS_FLEET_JOB_WAIT_MINUTES",
        description="how long a listening runner may wait for its first job",
    )
    grace_seconds: Positive = Field(
        90.0,
        alias="RUNS_FLEET_GRACE_SECONDS",
        description="from the stop signal to the runner until it is killed",
    )
    check_interval_seconds: Positive = Field(
        30.0, alias="RUNS_FLEET_CHECK_INTERVAL_SECONDS", description="disk and memory checks"
    )
    disk_min_free_mb: float = Field(
        500.0,
        alias="RUNS_FLEET_DISK_MIN_FREE_MB",
        ge=0,
        allow_inf_nan=False,
        description="under it the job is stopped",
    )
    memory_warn_mb: float = Field(
        200.0,
        alias="RUNS_FLEET_MEMORY_WARN_MB",
        ge=0,
        allow_inf_nan=False,
        description="under it a warning is logged and counted; the job goes on",
    )
    spot_poll_seconds: float = Field(
        5.0,
        alias="RUNS_FLEET_SPOT_POLL_SECONDS",
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="IMDS poll for spot and rebalance notices; 0 turns it off",
    )
    stop_on_rebalance: Boolean = Field(
        default=False,
        alias="RUNS_FLEET_STOP_ON_REBALANCE",
        description="also stops the job at a rebalance recommendation, which is only reported else",
    )
    notify_timeout_seconds: Positive = Field(
        10.0,
        alias="RUNS_FLEET_NOTIFY_TIMEOUT_SECONDS",
        description="how long termination waits for the completion message",
    )
    finish_timeout_seconds: Positive = Field(
        60.0,
        alias="RUNS_FLEET_FINISH_TIMEOUT_SECONDS",
        description="bound on everything between the job's end and the terminate call",
    )
    power_off_command: str | None = Field(
        None,
        alias="RUNS_FLEET_POWER_OFF_COMMAND",
        min_length=1,
        description="the last resort when `TerminateInstances` cannot be made, run without a shell; never powered off when not set",
    )
    dry_run: Boolean = Field(
        default=False,
        alias=DRY_RUN,
        description="does everything but the terminate call, and says so loudly",
    )
    prefect_api_url: Url | None = Field(
        None,
        alias="PREFECT_API_URL",
        description="a central Prefect server to report to; ephemeral when not set",
    )

    stock_prefect: Boolean = Field(
        default=False,
        alias="RUNS_FLEET_STOCK_PREFECT",
        description="true: without a central server, Prefect's API is served by Prefect's own command, in a process of its own; it starts a second later and takes 100 MB more",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads the settings; an empty variable counts as not set, but for those in `MAY_BE_EMPTY`.

        Raises:
            SettingsError: names every variable with an unusable value, in one line.
        """
        given = _given(environment)
        try:
            return cls.model_validate(given)
        except ValidationError as exc:
            wrong = [_explain(error, given) for error in exc.errors()]
            raise SettingsError("; ".join(wrong), mend=MEND) from None

    @classmethod
    def usable_part(cls, environment: Mapping[str, str]) -> Self:
        """The settings with each unusable value replaced by its default: what an instance is *ended* with.

        But for a dry run: whoever wrote anything there did not want the instance to be terminated.

        Never use it to run a job.
        """
        given = _given(environment)
        try:
            return cls.model_validate(given)
        except ValidationError as exc:
            wrong = {error["loc"][0] for error in exc.errors()}
            usable = {k: v for k, v in given.items() if k not in wrong}
            if DRY_RUN in wrong:
                usable[DRY_RUN] = "true"
            return cls.model_validate(usable)


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    names = [field.alias or name for name, field in Settings.model_fields.items()]
    return {
        name: environment[name]
        for name in names
        if environment.get(name) or (name in MAY_BE_EMPTY and name in environment)
    }


def _explain(error: ErrorDetails, given: Mapping[str, str]) -> str:
    variable = str(error["loc"][0])
    field = next(f for f in Settings.model_fields.values() if f.alias == variable)
    secret = "SecretStr" in str(field.annotation)
    value = "***" if secret else one_line(given.get(variable, ""), 80)
    return f"{variable}={value!r} cannot be used: it takes {_accepted(error, field)} ({field.description})"


def _accepted(error: ErrorDetails, field: FieldInfo) -> str:
    """What the field takes, in words: pydantic's own are for who wrote the class."""
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"]).replace("'", "")
    if "bool" in str(field.annotation):
        return "true or false"
    number = "a whole number" if "int" in str(field.annotation) else "a number"
    return " ".join([number, *_bounds(field)])


def _bounds(field: FieldInfo) -> list[str]:
    words = {"gt": "above", "ge": "from", "le": "to"}
    known = {
        name: getattr(each, name)
        for each in field.metadata
        for name in words
        if hasattr(each, name)
    }
    return [f"{words[name]} {known[name]:.15g}" for name in words if name in known]
