"""Sets the watchers to work: of one job runtime, disk, memory and idle; of the instance the spot notice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from agent.stages.context import RunContext
from agent.watchers.disk import DiskWatcher, free_bytes
from agent.watchers.idle import IdleWatcher
from agent.watchers.memory import MemoryWatcher, available_bytes
from agent.watchers.runtime import RuntimeWatcher
from agent.watchers.spot import SpotNotice, SpotWatcher
from agent.watchers.watch import Watch, Watcher

CLOCK_SECONDS = 0.25
"""How often runtime and idle look at the clock; it costs nothing."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """What the watchers saw; None where they saw nothing."""

    memory_mb: int | None = None
    disk_free_mb: int | None = None
    oom_kills: int | None = None


class Watching:
    """The watchers of one job, at work from the moment this is made until `stop`."""

    def __init__(self, run: RunContext, *, already_seconds: float = 0.0) -> None:
        """Starts them; the first verdict asks `run.stop`.

        Args:
            run: the run.
            already_seconds: how long the runner has been running before, where it was taken over.
        """
        settings, clock = run.settings, run.clock
        self._idle = IdleWatcher(clock, settings.job_wait_minutes, already_seconds=already_seconds)
        self._disk = DiskWatcher(
            partial(free_bytes, settings.runner_dir),
            settings.disk_min_free_mb,
            where=settings.runner_dir,
        )
        self._memory = MemoryWatcher(available_bytes, settings.memory_warn_mb)
        watchers: list[tuple[Watcher, float]] = [
            (self._idle, CLOCK_SECONDS),
            (
                RuntimeWatcher(
                    clock, settings.max_runtime_minutes, already_seconds=already_seconds
                ),
                CLOCK_SECONDS,
            ),
            (self._disk, settings.check_interval_seconds),
            (self._memory, settings.check_interval_seconds),
        ]
        self._watch = Watch(watchers, stop=run.stop, clock=clock)
        self._watch.start()

    def listening(self) -> None:
        self._idle.listening()

    def job_started(self) -> None:
        self._idle.job_started()

    @property
    def peaks(self) -> Peaks:
        return Peaks(
            memory_mb=self._memory.peak_memory_mb,
            disk_free_mb=self._disk.min_free_mb_seen,
            oom_kills=self._memory.oom_kills,
        )

    def stop(self) -> None:
        self._watch.stop()


@contextmanager
def watching_spot(run: RunContext) -> Iterator[None]:
    """Watches for a spot notice from the agent's first moment to its last: EC2 does not wait for a job.

    In a thread of its own: IMDS may take its time, and a max runtime must not wait for it.
    """
    seconds = run.settings.spot_poll_seconds
    if seconds <= 0:
        yield
        return
    with Watch([(_spot_watcher(run), seconds)], stop=run.stop, clock=run.clock):
        yield


def _spot_watcher(run: RunContext) -> SpotWatcher:
    def notice() -> SpotNotice | None:
        said = run.metadata.spot_notice()
        return SpotNotice(*said) if said else None

    def rebalance() -> datetime | None:
        return run.clock.utc() if run.metadata.rebalance_recommended() else None

    return SpotWatcher(
        notice,
        clock=run.clock,
        rebalance=rebalance,
        stop_on_rebalance=run.settings.stop_on_rebalance,
    )
