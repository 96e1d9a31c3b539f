"""One run of the real agent from process start to terminate call, looked at from outside."""

import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from agent.archive.staging import Marker, make_staging, put_in_place
from agent.archive.unpack import unpack
from agent.clock import SystemClock
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.localcloud.runner.build import BuiltArchive
from agent.localcloud.runner.scenario import Scenario
from benchmarks.boot.files import serving
from benchmarks.boot.process import Tree
from benchmarks.boot.stock import COUNTING

SETTLED_SECONDS = 2.0
"""Into the job: what only the start needed has been let go by then."""
QUIET_SECONDS = 6.0
LOOK_SECONDS = 0.05


class Way(StrEnum):
    """Where the runner is when the instance boots."""

    DISK = "runner on disk"
    CACHE = "S3 cache"
    GITHUB = "GitHub"


@dataclass(frozen=True, slots=True)
class Span:
    """A bar of the timeline, in seconds from process start."""

    lane: str
    name: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Boot:
    """One run; times in seconds from process start unless said otherwise."""

    first_task: float
    config: float
    in_place: float
    run_sh: float
    listening: float
    job_end_to_terminate: float
    cpu_to_run_sh: float
    """CPU seconds of the agent's processes until `run.sh` was started."""
    pss_mb: float
    """While the job runs quietly."""
    idle_percent: float
    """Of a core, over six seconds of it."""
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a run that was looked at closely opened until it ended, and the most memory that it took until `run.sh`."""

    files: int
    mb: float
    peak_pss_mb: float


def boot(
    way: Way,
    archive: BuiltArchive,
    scenario: Scenario,
    folder: Path,
    before: Callable[[], None] = lambda: None,
    *,
    observe: bool = True,
    **more: str,
) -> Boot:
    """A run that nobody disturbs.

    Args:
        way: where the runner is.
        archive: the runner's.
        scenario: what the archive was made for.
        folder: for everything that is written.
        before: called right before the agent starts.
        observe: look at memory and CPU while the job runs; for a job of some seconds.
        more: of the agent's environment.
    """
    with _playing(way, archive, scenario, folder, **more) as play:
        before()
        began = time.time()
        play.start()
        play.wait_for("process_started command=./run.sh")
        tree = Tree(play.process.pid, without="run.sh")
        cpu = tree.cpu_seconds()
        play.wait_for("job.started")
        play.wait_for("message.sent status=started")
        pss, idle = _while_the_job_runs(tree) if observe else (0.0, 0.0)
        status = play.finish()
        broken = [promise.what for promise in look(play, status) if not promise.held]
        if broken:
            raise RuntimeError(f"{way}: {broken}\n" + "\n".join(play.lines))
        return _read(play, began, cpu, pss, idle)


@dataclass(frozen=True, slots=True)
class Standby:
    """A warm spare whose config comes late; in seconds."""

    seen: float
    """From the config's appearance in SSM until it was read: what is left of the pause between two looks."""
    run_sh: float
    """From then until `run.sh` was started."""


def standby(archive: BuiltArchive, scenario: Scenario, folder: Path) -> Standby:
    """A spare that has everything but its config, some seconds after its boot."""
    with _playing(Way.GITHUB, archive, scenario, folder) as play:
        play.cloud.delete_parameters()
        play.start()
        play.wait_for("runner.verified")
        time.sleep(SETTLED_SECONDS)
        appeared = datetime.now(UTC)
        play.write_config()
        seen = _moment(play.wait_for("config.fetched"))
        started = _moment(play.wait_for("process_started command=./run.sh"))
        play.finish()
    return Standby((seen - appeared).total_seconds(), (started - seen).total_seconds())


def observed(
    way: Way, archive: BuiltArchive, scenario: Scenario, folder: Path, counted: Path
) -> Opened:
    """A run whose files are counted, and named in a file, and whose memory is sampled, which makes it slower."""
    more = {"PYTHONPATH": str(COUNTING), "COUNT_OPENED": str(counted)}
    with _playing(way, archive, scenario, folder, **more) as play:
        play.start()
        peak = _Peak(play)
        play.wait_for("process_started command=./run.sh")
        most = peak.stop()
        play.finish()
    files, mb = opened(counted, folder)
    return Opened(files, mb, most)


def opened(counted: Path, but: Path) -> tuple[int, float]:
    """How many files, and their megabytes, of those that are read from the root volume at a boot."""
    named = {Path(line) for line in counted.read_text(errors="replace").splitlines()}
    sizes = [
        path.stat().st_size
        for path in named
        if not path.is_relative_to(but)
        and path.parts[:2] not in (("/", "proc"), ("/", "sys"), ("/", "dev"))
        and path.is_file()
    ]
    return len(sizes), sum(sizes) / 1e6


@contextmanager
def _playing(
    way: Way, archive: BuiltArchive, scenario: Scenario, folder: Path, **more: str
) -> Iterator[Play]:
    workdir = Path(tempfile.mkdtemp(dir=folder))
    with serving(archive.path) as bucket:
        settings = {"RUNS_FLEET_CHECK_INTERVAL_SECONDS": "30", "RUNS_FLEET_SPOT_POLL_SECONDS": "5"}
        settings |= {
            Way.DISK: {"RUNS_FLEET_CONFIG_BUCKET": ""},
            Way.CACHE: {"AWS_ENDPOINT_URL_S3": bucket},
            Way.GITHUB: {"RUNS_FLEET_CONFIG_BUCKET": ""},
        }[way]
        script = Script(way, runner=scenario, settings=settings | more)
        with Play(script, workdir, archive=archive) as play:
            if way is Way.DISK:
                _place(archive, play.runner_dir)
            yield play
    shutil.rmtree(workdir, ignore_errors=True)


def _place(archive: BuiltArchive, runner_dir: Path) -> None:
    staging = make_staging(runner_dir)
    with archive.path.open("rb") as file:
        chunks = iter(lambda: file.read(1 << 18), b"")
        unpack(chunks, staging, clock=SystemClock(), stop=threading.Event(), size=archive.size)
    marker = Marker(archive.version, archive.arch, archive.sha256, "github")
    put_in_place(staging, runner_dir, marker)


class _Peak:
    """Samples memory in a thread of its own."""

    def __init__(self, play: Play) -> None:
        self._over = threading.Event()
        self._most = 0.0
        self._tree = Tree(play.process.pid, without="run.sh")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._most = max(self._most, self._tree.pss_mb())


def _while_the_job_runs(tree: Tree) -> tuple[float, float]:
    time.sleep(SETTLED_SECONDS)
    before, at = tree.own_cpu_seconds(), time.monotonic()
    time.sleep(QUIET_SECONDS)
    idle = 100 * (tree.own_cpu_seconds() - before) / (time.monotonic() - at)
    return tree.pss_mb(), idle


def _read(play: Play, began: float, cpu: float, pss: float, idle: float) -> Boot:
    start = datetime.fromtimestamp(began, UTC)

    def at(text: str) -> float:
        return (_moment(play.wait_for(text)) - start).total_seconds()

    (terminated,) = [c.monotonic for c in play.cloud.aws.calls if c.operation == "TerminateInstances"]  # fmt: skip
    spans = list(_spans(play, start))
    return Boot(
        # An API that was killed before it had written everything down leaves no times behind.
        first_task=min((s.began for s in spans if s.lane == "tasks"), default=at("config.fetched")),
        config=at("config.fetched"),
        in_place=at("runner.verified"),
        run_sh=at("process_started command=./run.sh"),
        listening=at("runner.listening"),
        job_end_to_terminate=terminated - time.monotonic() + time.time() - began - at("runner.gone"),
        cpu_to_run_sh=cpu,
        pss_mb=pss,
        idle_percent=idle,
        spans=[
            Span("agent", "guardian, settings", 0.0, at("run.began")),
            Span("agent", "Prefect: imports, API, flow run", at("run.began"), at("config.fetched")),
            *spans,
            *_runner(at),
        ],
    )  # fmt: skip


def _runner(at: Callable[[str], float]) -> Iterator[Span]:
    yield Span("runner", "config.sh", at("command=./config.sh"), at("runner.registered"))
    yield Span("runner", "run.sh", at("command=./run.sh"), at("runner.listening"))
    yield Span("runner", "job", at("runner.listening"), at("runner.gone"))


def _spans(play: Play, start: datetime) -> Iterator[Span]:
    """What Prefect's own database says of its task runs, and the agent of its download."""
    with closing(sqlite3.connect(play.state_dir / "prefect" / "prefect.db")) as database:
        tasks = database.execute("SELECT name, start_time, end_time FROM task_run").fetchall()
    for line in play.lines:
        if found := re.search(r" runner\.downloaded source=(\w+) .* seconds=([\d.]+)", line):
            ended = (_moment(line) - start).total_seconds()
            yield Span("prefetch", f"download, inflate, unpack ({found[1]})", ended - float(found[2]), ended)  # fmt: skip
    for name, task_began, task_ended in tasks:
        span = [(_utc(moment) - start).total_seconds() for moment in (task_began, task_ended)]
        yield Span("tasks", re.sub(r" (runs-fleet-|on |i-).*", "", name), *span)


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(line: str) -> datetime:
    return datetime.fromisoformat(line.split(" ", 1)[0])
