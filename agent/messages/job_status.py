"""The message as a value and as JSON (contract section 5)."""

import json
import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from agent.clock import rfc3339
from agent.errors import one_line
from agent.outcome import JobResult, Reason, Status

MAX_BODY_BYTES = 262_144
"""AWS: SQS, maximum message size that every queue takes. The bounds below keep every message far under it."""
MAX_ERROR_CHARACTERS = 2_000
MAX_TEXT_CHARACTERS = 512


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT_CHARACTERS] or None if isinstance(value, str) else value


def _cut_error(value: Any) -> Any:
    return one_line(value, MAX_ERROR_CHARACTERS) or None if isinstance(value, str) else value


def _identifier(value: Any) -> Any:
    """A numeric id as a string; an unknown one as an empty string, because the key is always there."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """The nearest whole number: a Go receiver drops a message with `12.0` in an integer field."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("not a whole number")
    return round(value) if isinstance(value, float) else value


def _seconds(value: Any) -> Any:
    """Three decimals; what JSON cannot say is left out."""
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value


def _moment(value: Any) -> Any:
    """RFC 3339 with `Z`; an empty time is no time."""
    if isinstance(value, datetime):
        return rfc3339(value)
    return rfc3339(datetime.fromisoformat(value)) if isinstance(value, str) and value else None


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Text = Annotated[str | None, BeforeValidator(_cut)]
Error = Annotated[str | None, BeforeValidator(_cut_error)]
Whole = Annotated[int, BeforeValidator(_whole)]
Seconds = Annotated[float | None, BeforeValidator(_seconds), AfterValidator(_seconds)]
Moment = Annotated[str | None, BeforeValidator(_moment)]


class JobStatus(BaseModel):
    """How the runner fares, for the orchestrator.

    The receiver is Go with typed fields and drops what does not parse: ids are strings, integers never floats,
    times RFC 3339 with `Z`; what is not known is left out, never null or empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_id: Name
    job_id: Identifier = ""
    """From the runner config; empty when it has none."""
    status: Status
    exit_code: Whole = 0
    """`run.sh`'s own; -1 when it never ran or had to be killed."""
    duration_seconds: Whole = 0
    started_at: Moment = None
    completed_at: Moment = None
    error: Error = None
    """One line, cut at 2,000 characters."""
    interrupted_by: Text = None
    run_id: Text = None
    repo: Text = None
    runner_name: Text = None
    job_result: JobResult | None = None
    job_name: Text = None
    reason: Reason | None = None
    agent_version: Text = None
    runner_version: Text = None
    log_group: Text = None
    log_stream: Text = None
    log_upload: Literal["uploaded", "partial", "failed", "skipped", "disabled"] | None = None
    bootstrap_boot_seconds: Seconds = None
    bootstrap_config_seconds: Seconds = None
    bootstrap_runner_seconds: Seconds = None
    bootstrap_register_seconds: Seconds = None
    bootstrap_total_seconds: Seconds = None
    peak_memory_mb: Whole | None = None
    min_disk_free_mb: Whole | None = None
    oom_kills: Whole | None = None

    def to_json(self) -> str:
        """The message body: ASCII, so that no character in it can make SQS refuse it."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True))
