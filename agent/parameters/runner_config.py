"""The runner config as the orchestrator writes it into SSM (contract section 3)."""

import base64
import binascii
import json
import re
import zlib
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from agent.accepted import matching
from agent.errors import Addressee, ConfigError

MAX_PARAMETER_CHARS = 65_536
"""Far above SSM's own 8 KiB (advanced tier): more than that is not a runner config."""
MAX_JIT_CONFIG_BYTES = 1024 * 1024
"""Contract section 3: a compressed JIT config may unpack to 1 MiB."""
MAX_LABEL_CHARS = 256
"""GitHub refuses longer labels."""
MEND = "mend it in the orchestrator that writes the parameter"


def _one_word(value: str) -> str:
    if value.startswith("-"):
        raise ValueError("must not start with `-`: config.sh would take it for an option")
    if not value.isprintable():
        raise ValueError("must not hold a newline or another control character")
    return value


def _label(value: str) -> str:
    if "," in value:
        raise ValueError("must not hold a comma: config.sh would split it into two labels")
    return _one_word(value)


def _timestamp(value: object) -> object:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            # Python's own words quote the value.
            raise ValueError("must be a moment as in RFC 3339") from None
    return value


Text = Annotated[str, StringConstraints(max_length=1024)]
Word = Annotated[str, StringConstraints(max_length=256), AfterValidator(_one_word)]
RunnerName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_one_word)]
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_LABEL_CHARS), AfterValidator(_label)
]
Org = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9-]{0,99}",
        "must be an organisation's name: letters, digits and hyphens",
    ),
]
Repo = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_.-]{1,100}",
        "must be owner/name, of letters, digits and `_.-`",
    ),
]
RunId = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_.#/-]{1,128}", "must be 1 to 128 letters, digits and `_.#/-`: it names streams"
    ),
]
Timestamp = Annotated[AwareDatetime, BeforeValidator(_timestamp)]


class RunnerConfig(BaseModel):
    """One typed model of the SSM JSON; its `repr` shows no secret. Unknown keys are kept apart in `ignored`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    org: Org | None = None
    repo: Repo | None = None
    run_id: RunId
    jit_token: SecretStr | None = None
    jit_config: SecretStr | None = None
    labels: tuple[Label, ...] = Field((), strict=False)
    runner_group: Word = ""
    runner_name: RunnerName = ""
    job_id: Word = ""
    cache_token: SecretStr | None = None
    cache_url: Text = ""
    termination_queue_url: Text = ""
    is_org: bool = False
    created_at: Timestamp | None = None
    runner_logs_bucket: Text = ""
    runner_logs_prefix: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _empty_means_absent(cls, data: Any) -> Any:
        """Go writes an empty string where Python would leave a key out."""
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if v is not None and v != ""}

    @model_validator(mode="after")
    def _enough_to_register(self) -> Self:
        if not (self.org or self.repo):
            raise ValueError("`org` or `repo` is required")
        if self.jit_config is None and self.jit_token is not None and not self.labels:
            raise ValueError("`labels` are required with `jit_token`")
        return self

    @property
    def has_credential(self) -> bool:
        return self.jit_config is not None or self.jit_token is not None

    @property
    def ignored(self) -> tuple[str, ...]:
        """Keys that this agent does not know, sorted."""
        return tuple(sorted(self.model_extra or {}))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be shown."""
        held = (self.jit_token, self.jit_config, self.cache_token)
        return tuple(secret.get_secret_value() for secret in held if secret is not None)

    def name_on(self, instance_id: str) -> str:
        """The runner's name: as given, else made of the instance id."""
        return self.runner_name or f"runs-fleet-runner-{instance_id}"

    def registration_url(self, github_url: str) -> str:
        """Where the runner registers: the repository where it is given, else the organisation."""
        return f"{github_url}/{self.repo or self.org}"


class Credential(BaseModel):
    """The optional second parameter; it overrides the config's own credential keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    jit_config: SecretStr | None = None
    jit_token: SecretStr | None = None
    compressed: bool = False


def parse(config: str, credential: str | None, *, where: str) -> RunnerConfig:
    """Makes the runner config of the two parameters' texts.

    Args:
        config: the `config` parameter.
        credential: the `credential` parameter, where there is one.
        where: the parameter's path, for the error.

    Raises:
        ConfigError: names every fault in one line and never quotes a value.
    """
    data = _object(config, where)
    try:
        if credential is not None:
            path = where.rsplit("/", 1)[0] + "/credential"
            data |= _credential_keys(_object(credential, path), path)
        return _validated(data, where)
    except ConfigError as exc:
        exc.addressee = _addressee(data)
        raise


def _validated(data: dict[str, Any], where: str) -> RunnerConfig:
    try:
        return RunnerConfig.model_validate(data)
    except ValidationError as exc:
        raise ConfigError(f"{where} cannot be used: {_faults(exc)}", mend=MEND) from None


def _addressee(data: dict[str, Any]) -> Addressee | None:
    """Each key by itself, where it is as it should be; None without a run id, which names the log stream."""
    found: dict[str, str] = {}
    for name, kind in (
        ("run_id", RunId),
        ("job_id", Word),
        ("repo", Repo),
        ("termination_queue_url", Text),
    ):
        try:
            found[name] = TypeAdapter(kind).validate_python(data.get(name), strict=True)
        except ValidationError:
            found[name] = ""
    if not found["run_id"]:
        return None
    return Addressee(
        found["run_id"], found["job_id"], found["repo"], found["termination_queue_url"]
    )


def _object(text: str, where: str) -> dict[str, Any]:
    if len(text) > MAX_PARAMETER_CHARS:
        raise ConfigError(
            f"{where} is {len(text)} characters long, more than {MAX_PARAMETER_CHARS}", mend=MEND
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where} is not JSON", mend=MEND) from None
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is JSON, but not an object", mend=MEND)
    return data


def _credential_keys(data: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        credential = Credential.model_validate(
            {k: v for k, v in data.items() if v not in (None, "")}
        )
    except ValidationError as exc:
        raise ConfigError(f"{where} cannot be used: {_faults(exc)}", mend=MEND) from None
    jit = credential.jit_config.get_secret_value() if credential.jit_config else None
    if jit is not None and credential.compressed:
        jit = _decompress(jit, where)
    token = credential.jit_token.get_secret_value() if credential.jit_token else None
    return {"jit_config": jit, "jit_token": token}


def _decompress(packed: str, where: str) -> str:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_JIT_CONFIG_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        raise ConfigError(
            f"{where}: `jit_config` is marked compressed, but is not base64 of gzip", mend=MEND
        ) from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ConfigError(
            f"{where}: `jit_config` is cut short or unpacks to more than 1 MiB", mend=MEND
        )
    return base64.b64encode(plain).decode()


def _faults(exc: ValidationError) -> str:
    return "; ".join(
        f"{_path(error['loc'])}{_said(error)}" for error in exc.errors(include_input=False)
    )


def _said(error: ErrorDetails) -> str:
    """In words of the parameter's author; pydantic's never quote a value here, and neither do these."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "string_type":
            return "must be a string"
        case "string_too_long":
            return f"must not be longer than {error['ctx']['max_length']} characters"
        case _:
            return error["msg"].removeprefix("Value error, ")


def _path(location: tuple[int | str, ...]) -> str:
    path = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in location))
    return f"`{path}`: " if path else ""
