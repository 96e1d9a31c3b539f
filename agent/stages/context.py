"""What every stage of one run is handed: settings, journal, clients, clock, stop."""

import os
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.aws import Clients
from agent.clock import Clock, SystemClock, rfc3339_millis
from agent.errors import SettingsError
from agent.held import Folder
from agent.instance.imds import Metadata
from agent.journal.facts import LogShipped, RunBegan
from agent.journal.journal import Journal, read, set_aside
from agent.journal.progress import Progress
from agent.logs.quick_put import put_quickly
from agent.logs.shipper import Shipper
from agent.logs.spool import SPOOL, Spool
from agent.logs.spool_limit import SpoolLimit
from agent.outcome import Reason
from agent.redact import Redactor
from agent.runner.files import secrets_on_disk
from agent.settings import Settings
from agent.stop import Stop, StopRequest
from agent.transfer import Transfer

if TYPE_CHECKING:
    from agent.stages.close_off import ClosedOff
    from agent.stages.prefetch import Prefetch

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UPTIME = Path("/proc/uptime")
METADATA_ATTEMPTS = 60
METADATA_PAUSE_SECONDS = 1.0


class RunContext:
    """One run of the agent on one instance. A plain class: Prefect looks into dataclasses, and must not into this."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        instance_id: str,
        region: str,
        metadata: Metadata,
        clock: Clock,
        fresh: bool = False,
    ) -> None:
        """Opens journal, spool and log shipping; nothing is asked of AWS yet."""
        self.settings = settings
        self.environment = environment
        self.instance_id = instance_id
        self.region = region
        self.metadata = metadata
        self.clock = clock
        self.began = clock.monotonic()
        self.is_new = False
        """True when the journal was empty: nothing has run here since the machine booted."""
        self.last_words_sent = False
        """Whether the agent's own last lines were given their time before the terminate call."""
        self.prefetch: Prefetch | None = None
        """What was begun before the first stage."""
        self.closed_off: ClosedOff | None = None
        """What keeps the job from the instance's role; begun before the first stage too."""
        self.transfer = Transfer()
        """How far the archive's download has come, also where another process downloads it."""
        self.stop = Stop()
        self.redactor = Redactor()
        self.redactor.add(*_known_secrets(settings, environment))
        self.clients = Clients(region, prepare={"logs": put_quickly})
        self.spool = Spool(settings.state_dir)
        self.journal = Journal(
            journal_path(settings.state_dir),
            now=lambda: rfc3339_millis(clock.utc()),
            fresh=fresh,
        )
        self.shipper = Shipper(
            self.clients.late("logs") if settings.log_group else None,
            settings.log_group,
            clock=clock,
            redactor=self.redactor,
            on_shipped=self._shipped,
            housekeeping=SpoolLimit(
                self.spool.directory, int(settings.spool_max_mb * 1_000_000), clock=clock
            ).enforce,
        )
        self._follow_agent_log()

    @property
    def progress(self) -> Progress:
        return self.journal.progress

    @property
    def architecture(self) -> str:
        """As the kernel names it (`x86_64`, `aarch64`)."""
        return platform.machine()

    @property
    def runner_name(self) -> str:
        """The runner's name; the instance's before the config is known."""
        config = self.progress.config
        return config.runner_name if config else self.instance_id

    @property
    def agent_stream(self) -> str:
        config = self.progress.config
        return agent_stream(self.instance_id, config.run_id if config else None)

    @property
    def runner_stream(self) -> str | None:
        """The runner's log stream; None before the run id is known."""
        config = self.progress.config
        return f"{config.run_id}/{self.instance_id}/runner" if config else None

    def seconds_since(self, moment: float) -> float:
        return round(self.clock.monotonic() - moment, 3)

    def follow_runner_log(self, path: Path) -> None:
        """Ships a file of the runner's words from where the last shipper stopped."""
        if self.runner_stream is not None:
            offset = self.progress.offset(self.runner_stream, str(path))
            self.shipper.follow(path, self.runner_stream, offset=offset, own=True)

    def follow_diag(self) -> None:
        """Ships the runner's `_diag` logs behind a prefix naming the file; its pages hold what the job's steps say."""
        stream = self.runner_stream
        if stream is not None:
            runner_dir = self.settings.runner_dir
            for parts in (("_diag",), ("_diag", "pages")):
                self.shipper.follow_directory(
                    Folder.of_the_runner(runner_dir, *parts),
                    "*.log",
                    stream,
                    prefix=lambda path: f"[{path.relative_to(runner_dir)}] ",
                    offset=lambda path: self.progress.offset(stream, str(path)),
                )

    def _follow_agent_log(self) -> None:
        stream, path = self.agent_stream, self.spool.agent
        sent = max((s.offset for s in self.progress.shipped if s.path == str(path)), default=0)
        self.shipper.follow(path, stream, offset=sent)

    def _shipped(self, stream: str, path: Path, offset: int) -> None:
        self.journal.add(
            LogShipped(self.journal.now(), stream=stream, path=str(path), offset=offset)
        )


def agent_stream(instance_id: str, run_id: str | None) -> str:
    return f"{run_id}/{instance_id}/agent" if run_id else f"boot/{instance_id}/agent"


def journal_path(state_dir: Path) -> Path:
    return state_dir / "journal.jsonl"


def open_run(
    environment: Mapping[str, str], settings: Settings, *, clock: Clock | None = None
) -> RunContext:
    """Finds out which instance this is and opens its run; a journal of an earlier life is set aside.

    Raises:
        SettingsError: when neither the settings nor IMDS say which instance or region this is.
    """
    clock = clock or SystemClock()
    metadata = Metadata(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
    attempts = _metadata_attempts(environment)
    instance_id = settings.instance_id or _patiently(metadata.instance_id, attempts, clock)
    if instance_id is None:
        raise SettingsError(
            "it is not known which instance this is: IMDS does not answer",
            mend="turn IMDSv2 on in the launch template, or set RUNS_FLEET_INSTANCE_ID; where this is no instance, try `runs-fleet-agent demo`",
        )
    region = settings.region or _patiently(metadata.region, attempts, clock)
    if region is None:
        raise SettingsError(
            "it is not known which AWS region this is: IMDS does not answer",
            mend="turn IMDSv2 on in the launch template, or set AWS_REGION",
        )
    _settle_state_dir(settings.state_dir)
    boot_id = _boot_id()
    began = Progress.of(read(journal_path(settings.state_dir))).began
    other_life = began is not None and (began.instance_id, began.boot_id) != (instance_id, boot_id)
    if other_life:
        set_aside(journal_path(settings.state_dir))
        set_aside(settings.state_dir / SPOOL)
    run = RunContext(
        settings,
        environment,
        instance_id=instance_id,
        region=region,
        metadata=metadata,
        clock=clock,
        fresh=other_life,
    )
    _go_on(run)
    if run.progress.began is None:
        run.is_new = True
        run.journal.add(
            RunBegan(
                run.journal.now(),
                instance_id=instance_id,
                region=region,
                boot_id=boot_id,
                agent_version=__version__,
                boot_seconds=_uptime_seconds(),
                monotonic=clock.monotonic(),
                log_group=settings.log_group,
            )
        )
    return run


def _patiently(ask: Callable[[], str | None], attempts: int, clock: Clock) -> str | None:
    """Asks a second time and more: IMDS may be a moment late on a machine that is just booting."""
    for attempt in range(attempts):
        if attempt == 1:
            _say(
                f"IMDS does not answer; it is asked again for up to {attempts} times, once a second"
            )
        if attempt:
            clock.wait(threading.Event(), METADATA_PAUSE_SECONDS)
        if (answer := ask()) is not None:
            return answer
    return None


def _metadata_attempts(environment: Mapping[str, str]) -> int:
    """Botocore's own variable; an agent without its instance's id can do nothing, so the default is more patient."""
    given = environment.get("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "")
    return int(given) if given.isdecimal() and int(given) else METADATA_ATTEMPTS


def _go_on(run: RunContext) -> None:
    """What an earlier life of the agent knew by heart: that it was stopping, and the secrets that nobody may see."""
    asked = run.progress.stop_asked
    if asked is not None and asked.reason in list(Reason):
        run.stop.ask(StopRequest(Reason(asked.reason), asked.detail, taken_at=asked.taken_at))
    if run.progress.config is not None:
        run.redactor.add(*secrets_on_disk(run.settings.runner_dir))


def _settle_state_dir(path: Path) -> None:
    """Makes the state directory; without one the journal goes on in memory."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as exc:
        _say(
            f"state directory {path} cannot be used: {exc.strerror or exc}; the run goes on without it, its journal in memory only:"
            " start the agent as root, or set RUNS_FLEET_STATE_DIR"
        )


def _say(text: str) -> None:
    """For the console alone: there is no log yet."""
    os.write(2, f"runs-fleet-agent: {text}\n".encode())


def _known_secrets(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    token = settings.github_token
    named = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return (
        *((token.get_secret_value(),) if token else ()),
        *(environment[name] for name in named if environment.get(name)),
    )


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _uptime_seconds() -> float:
    try:
        return float(UPTIME.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
