"""One run for each outcome class, ended by the agent's own code: what it says then stands in docs/outcomes.md."""

import gzip
import logging
import signal
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from botocore.exceptions import ClientError, ConnectTimeoutError

from agent.archive.inflate import Inflater, disk_trouble
from agent.archive.limits import Limits
from agent.aws_errors import translate
from agent.deadline import Deadline
from agent.errors import AgentError, over_its_limit
from agent.outcome import JobResult, Outcome, Reason
from agent.parameters.runner_config import parse
from agent.releases.github import Releases
from agent.runner.hangs import Hangs
from agent.runner.hangs import Limits as HangLimits
from agent.runner.refusal import configure_failure
from agent.runner.result import Conversation, outcome
from agent.settings import Settings
from agent.stages.fetch_config import _nothing_came
from agent.stages.record import CRASHED, outcome_of_error
from agent.stages.verify import _check
from agent.stop import Stop, StopRequest
from agent.watchers.disk import DiskWatcher
from agent.watchers.idle import IdleWatcher
from agent.watchers.runtime import RuntimeWatcher
from agent.watchers.spot import SpotNotice, SpotWatcher
from flows.signals import _ask

CONFIG = "/runs-fleet/runners/i-0123456789abcdef0/config"
URL = "https://github.com/octo-org/hello-world"
DIR = Path("/opt/actions-runner")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
A_LONG_TIME = 360 * 60.0
STARTED = Conversation(version="2.336.0", listening_at="12:00:00", job_id="815", job_name="build")


class _Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.now)

    def wait(self, _event: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return False


def examples() -> dict[Reason, Outcome]:
    """By reason, in the order of the outcome classes."""
    logging.disable(logging.CRITICAL)
    try:
        return {reason: _EXAMPLES[reason]() for reason in Reason}
    finally:
        logging.disable(logging.NOTSET)


def _of_error(call: Callable[[], object]) -> Outcome:
    """What becomes of a run in which this is raised, or given back."""
    try:
        error = call()
    except (AgentError, TimeoutError) as exc:
        error = exc
    run: Any = SimpleNamespace(stop=Stop(), progress=SimpleNamespace(runner_started=None))
    if not isinstance(error, (AgentError, TimeoutError)):
        raise TypeError(error)
    return outcome_of_error(run, error)


def _of_request(request: StopRequest | None) -> Outcome:
    if request is None:
        raise TypeError(request)
    return Outcome(request.reason, request.detail)


def _of_words(said: Conversation, exit_code: int | None = 1) -> Outcome:
    return outcome(said, exit_code, files_left=True)


def _idle(*, listening: bool) -> Outcome:
    clock = _Clock()
    watcher = IdleWatcher(clock, 10)
    if listening:
        watcher.listening()
    clock.now = A_LONG_TIME
    return _of_request(watcher.check())


def _hang(said: Conversation) -> Outcome:
    clock = _Clock()
    hangs = Hangs(clock, lambda: False, HangLimits())
    hangs.check(said)
    clock.now = A_LONG_TIME
    hangs.check(said)
    clock.now *= 2
    hang = hangs.check(said)
    if hang is None:
        raise TypeError(said)
    return Outcome(hang.reason, hang.detail)


def _runtime() -> Outcome:
    clock = _Clock()
    watcher = RuntimeWatcher(clock, 360)
    clock.now = A_LONG_TIME
    return _of_request(watcher.check())


def _spot(*, notice: bool) -> Outcome:
    at = NOON + timedelta(seconds=120)
    watcher = SpotWatcher(
        lambda: SpotNotice("terminate", at) if notice else None,
        clock=_Clock(),
        rebalance=lambda: at,
        stop_on_rebalance=True,
    )
    return _of_request(watcher.check())


def _signal() -> Outcome:
    stop = Stop()
    _ask(stop, signal.SIGTERM)
    return _of_request(stop.request)


def _no_config() -> AgentError:
    run: Any = SimpleNamespace(settings=Settings.from_environment({}))
    parameters: Any = SimpleNamespace(config_path=CONFIG)
    return _nothing_came(run, parameters, half=False)


def _refused() -> AgentError:
    said = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
    return translate(ClientError(said, "GetParameter"), call="ssm:GetParameter", resource=CONFIG)


def _unreachable() -> AgentError:
    error = ConnectTimeoutError(endpoint_url="https://ssm.eu-central-1.amazonaws.com/")
    return translate(error, call="ssm:GetParameter", resource=CONFIG)


def _asked_of_github(status: int, **headers: str) -> object:
    answer = httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()})
    clock = _Clock()
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as client:
        releases = Releases(client, "https://api.github.com", clock=clock, stop=threading.Event())
        return releases.find("2.999.0", "x64", deadline=Deadline(clock, 300))


def _another_digest() -> object:
    release = SimpleNamespace(version="2.336.0", sha256="1bf38428" + "…")
    staged: Any = SimpleNamespace(sha256="93cc7619" + "…", source="github", release=release)
    run: Any = None
    return _check(run, staged)


def _damaged() -> object:
    data = bytearray(gzip.compress(bytes(range(256)) * 64, mtime=0))
    data[-6] ^= 0xFF
    chunks = iter([bytes(data)])
    with Inflater(
        chunks, limits=Limits(), keep=None, on_bytes=_nothing, check=_nothing, library=zlib
    ) as packed:
        return list(packed.pieces())


def _nothing(*_: object) -> None:
    """Told, and asked, by the way."""


_EXAMPLES: dict[Reason, Callable[[], Outcome]] = {
    Reason.JOB_SERVED: lambda: _of_words(
        Conversation(job_name="build", terminal_result=JobResult.SUCCEEDED), 0
    ),
    Reason.NO_JOB: lambda: _idle(listening=True),
    Reason.JOB_NEVER_STARTED: lambda: _hang(Conversation(job_id="815")),
    Reason.NO_CONFIG: lambda: _of_error(_no_config),
    Reason.STOP_SIGNAL: _signal,
    Reason.SPOT_NOTICE: lambda: _spot(notice=True),
    Reason.REBALANCE: lambda: _spot(notice=False),
    Reason.MAX_RUNTIME: _runtime,
    Reason.DISK_FULL: lambda: _of_request(DiskWatcher(lambda: 412 << 20, 500, where=DIR).check()),
    Reason.SETTINGS_INVALID: lambda: _of_error(
        lambda: Settings.from_environment({"RUNS_FLEET_GRACE_SECONDS": "90s"})
    ),
    Reason.CONFIG_INVALID: lambda: _of_error(
        lambda: parse('{"run_id": "4711", "org": "octo org"}', None, where=CONFIG)
    ),
    Reason.AWS_REFUSED: lambda: _of_error(_refused),
    Reason.AWS_UNAVAILABLE: lambda: _of_error(_unreachable),
    Reason.RELEASE_NOT_FOUND: lambda: _of_error(lambda: _asked_of_github(404)),
    Reason.DOWNLOAD_FAILED: lambda: _of_error(lambda: _asked_of_github(403, Retry_After="1800")),
    Reason.DIGEST_MISMATCH: lambda: _of_error(_another_digest),
    Reason.ARCHIVE_INVALID: lambda: _of_error(_damaged),
    Reason.RUNNER_DIR_UNUSABLE: lambda: _of_error(
        lambda: disk_trouble(DIR / "bin", OSError(ENOSPC, "No space left on device"))
    ),
    Reason.TOKEN_EXPIRED: lambda: _of_error(
        lambda: configure_failure("Http response code: NotFound from 'POST …'", URL)
    ),
    Reason.REGISTRATION_FAILED: lambda: _of_error(
        lambda: configure_failure("Libicu's dependencies is missing for Dotnet Core 6.0", URL)
    ),
    Reason.RUNNER_TERMINATED: lambda: _of_words(Conversation(listening_at="12:00:00"), 1),
    Reason.RUNNER_DEPRECATED: lambda: _of_words(Conversation(version="2.300.0"), 7),
    Reason.RUNNER_RESTART_LOOP: lambda: _of_words(
        Conversation(restarts=5, error="Runner connect error: connection refused")
    ),
    Reason.SESSION_CONFLICT: lambda: _of_words(Conversation(conflicts=4, conflict_final=True)),
    Reason.RUNNER_NEVER_LISTENED: lambda: _idle(listening=False),
    Reason.RUNNER_HUNG: lambda: _hang(
        Conversation(job_name="build", terminal_result=JobResult.SUCCEEDED)
    ),
    Reason.RUNNER_LOST: lambda: _of_words(STARTED, 137),
    Reason.RUNNER_CRASHED: lambda: _of_words(Conversation(listener_code=134)),
    Reason.STAGE_TIMEOUT: lambda: _of_error(lambda: over_its_limit("register", 600)),
    Reason.AGENT_CRASHED: lambda: CRASHED,
}
