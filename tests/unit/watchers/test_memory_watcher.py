from pathlib import Path

import pytest

from agent.watchers.memory import (
    MB,
    MemoryWatcher,
    available_bytes,
    read_oom_kills,
    total_bytes,
)


class Readings:
    """A probe that gives its readings in turn, the last one for ever."""

    def __init__(self, *readings: int, unit: int = MB) -> None:
        self.readings = [reading * unit for reading in readings]

    def __call__(self) -> int:
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


def watcher(*available_mb: int, kills: Readings | None = None) -> MemoryWatcher:
    return MemoryWatcher(
        Readings(*available_mb), 200, total=lambda: 1000 * MB, oom_kills=kills or (lambda: None)
    )


def checked(watcher: MemoryWatcher, times: int) -> MemoryWatcher:
    for _ in range(times):
        watcher.check()
    return watcher


def test_a_shortage_is_one_warning_however_long_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    assert checked(watcher(500, 199, 150, 100), 4).warnings == 1
    assert caplog.messages == ["memory.low available_mb=199 under_mb=200"]


def test_readings_around_the_threshold_are_one_shortage() -> None:
    assert checked(watcher(199, 201, 199, 230, 199), 5).warnings == 1


def test_the_next_shortage_is_a_new_warning() -> None:
    assert checked(watcher(199, 250, 199), 3).warnings == 2


def test_enough_memory_is_never_an_alarm() -> None:
    assert checked(watcher(1000, 200, 201, 999), 4).warnings == 0


def test_the_most_that_was_in_use_is_kept() -> None:
    memory = watcher(900, 300, 800)
    assert memory.peak_memory_mb is None
    assert checked(memory, 3).peak_memory_mb == 700


def test_oom_kills_are_counted_from_the_start(caplog: pytest.LogCaptureFixture) -> None:
    memory = watcher(500, kills=Readings(7, 7, 9, 9, unit=1))
    assert memory.oom_kills == 0
    assert checked(memory, 3).oom_kills == 2
    assert caplog.messages == ["memory.oom_kill kills=2"]


def test_a_kernel_that_does_not_count_is_not_taken_for_no_kills() -> None:
    assert checked(watcher(500), 1).oom_kills is None


@pytest.mark.parametrize(
    ("text", "kills"),
    [
        ("nr_free_pages 1\noom_kill 3\nnuma_hit 9\n", 3),
        ("low 0\nhigh 0\noom 4\noom_kill 2\noom_group_kill 0\n", 2),
        ("oom_kill\n", None),
        ("oom_kill many\n", None),
        ("", None),
    ],
)
def test_the_counter_is_read_from_vmstat_and_memory_events(
    tmp_path: Path, text: str, kills: int | None
) -> None:
    (tmp_path / "vmstat").write_text(text)
    assert read_oom_kills(tmp_path / "vmstat") == kills


def test_an_unreadable_counter_tells_nothing(tmp_path: Path) -> None:
    assert read_oom_kills(tmp_path / "nowhere") is None


def test_the_real_probes_read_the_real_machine() -> None:
    assert 0 < available_bytes() <= total_bytes()
