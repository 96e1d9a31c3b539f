"""What the stand-in runner is to do, as `scenario.json` in the runner's root."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Configure = Literal[
    "ok",
    "not_found",
    "unauthorized",
    "server_error",
    "server_error_once",
    "hang",
    "missing_dependency",
    "leaves_nothing",
]
Listener = Literal[
    "ok",
    "never_listens",
    "session_conflict",
    "deprecated",
    "retryable_loop",
    "retryable_once",
    "crash",
    "not_configured",
    "registration_deleted",
    "acknowledged_only",
    "never_exits",
    "no_finish_line",
]


class Step(BaseModel):
    """One step of a job: a script for `bash -e`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    run: str


class Job(BaseModel):
    """The one job that GitHub has for the runner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "build"
    steps: tuple[Step, ...] = (Step(name="hello", run="echo hello"),)
    conclusion: str | None = None
    """The result word to print, whatever the steps did."""


class Scenario(BaseModel):
    """How one run of the stand-in goes; the defaults are a job that succeeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = "2.336.0"
    time_scale: float = Field(1.0, gt=0)
    """All of the runner's own time constants are multiplied by it."""
    job: Job | None = Job()
    """None: it listens and never gets one."""
    idle_seconds: float = Field(0.2, ge=0)
    """Before the job arrives."""
    configure: Configure = "ok"
    listener: Listener = "ok"
    worker: Literal["ok", "stubborn", "hang"] = "ok"
    """`stubborn`: it and its steps ignore every signal but SIGKILL."""
    output_lines: int = Field(0, ge=0)
    """Numbered lines that the listener prints while the job runs."""
    stderr_lines: int = Field(0, ge=0)
    """The same on stderr, interleaved."""
    forged_lines: tuple[str, ...] = ()
    """Printed as they are while the job runs."""
