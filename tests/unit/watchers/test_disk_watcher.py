from pathlib import Path

import pytest

from agent.outcome import Reason
from agent.watchers.disk import MB, DiskWatcher, free_bytes


class Disk:
    """A probe with readings in MB; an exception stands for a failure."""

    def __init__(self, *readings: float | OSError) -> None:
        self.readings = list(readings)

    def __call__(self) -> int:
        reading = self.readings.pop(0)
        if isinstance(reading, OSError):
            raise reading
        return int(reading * MB)


WORK = Path("/opt/actions-runner")


def test_too_little_free_space_stops_the_job_with_the_figures() -> None:
    verdict = DiskWatcher(Disk(412.7), 500, where=WORK).check()
    assert verdict is not None
    assert verdict.reason is Reason.DISK_FULL
    assert (
        verdict.detail
        == "412 MB free on /opt/actions-runner, fewer than 500 (RUNS_FLEET_DISK_MIN_FREE_MB)"
    )


def test_just_enough_is_enough() -> None:
    assert DiskWatcher(Disk(500), 500, where=WORK).check() is None


def test_the_least_that_was_seen_is_kept() -> None:
    watcher = DiskWatcher(Disk(900, 700, 800), 500, where=WORK)
    assert watcher.min_free_mb_seen is None
    for _ in range(3):
        watcher.check()
    assert watcher.min_free_mb_seen == 700


def test_a_probe_that_fails_is_one_warning_and_no_stop(caplog: pytest.LogCaptureFixture) -> None:
    watcher = DiskWatcher(Disk(OSError("gone"), OSError("gone"), 400), 500, where=WORK)
    assert watcher.check() is None
    assert watcher.check() is None
    assert [record.getMessage().split()[0] for record in caplog.records] == ["disk.unreadable"]
    assert watcher.check() is not None


def test_the_real_probe_reads_a_real_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    with pytest.raises(OSError, match="No such file"):
        free_bytes(tmp_path / "nowhere")
