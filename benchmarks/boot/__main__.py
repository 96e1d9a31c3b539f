"""`make bench-boot`: from process start to a listening runner, beside the shell way and stock Prefect, in one run."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from agent.localcloud.runner.build import BuiltArchive
from benchmarks.boot import cold
from benchmarks.boot.archive import archive, job
from benchmarks.boot.boot import Boot, Standby, Way, boot, observed, opened, standby
from benchmarks.boot.files import serving
from benchmarks.boot.shell import Shell, shell_way
from benchmarks.boot.stock import Stock, stock_prefect
from benchmarks.boot.timeline import timeline
from benchmarks.boot.unpacking import Unpacking, unpacking

ROUNDS = 5
JOB_SECONDS = 12
ROOMY = Path("/dev/shm")  # noqa: S108 - memory, where there is plenty: disks differ too much
ROOMY_BYTES = 6 << 30
PICTURE = Path(__file__).parent.parent / "boot.svg"
TIMES: dict[str, Callable[[Boot], float]] = {
    "first task body": lambda boot: boot.first_task,
    "config read": lambda boot: boot.config,
    "archive in place": lambda boot: boot.in_place,
    "run.sh started": lambda boot: boot.run_sh,
    "listening": lambda boot: boot.listening,
    "job end to terminate call": lambda boot: boot.job_end_to_terminate,
    "CPU s until run.sh": lambda boot: boot.cpu_to_run_sh,
    "PSS MB while the job runs": lambda boot: boot.pss_mb,
    "CPU % while the job runs": lambda boot: boot.idle_percent,
}


def main(arguments: list[str]) -> int:
    """Plays every round, prints one table after the other, and draws the picture."""
    given = _parser().parse_args(arguments)
    if given.cold and not cold.possible():
        sys.exit("make bench-boot: --cold needs root and a kernel with cgroup v1's blkio")
    scenario = job(JOB_SECONDS)
    built = archive(scenario)
    with _folder() as folder:
        if given.cold:
            # The archive comes over a wire and not from this disk.
            built = replace(built, path=Path(shutil.copy(built.path, folder)))
        slow = cold.slow_disk(Path(sys.prefix)) if given.cold else nullcontext()
        with slow:
            before = cold.forget_pages if given.cold else lambda: None
            rounds = [_round(built, folder, before) for _ in range(given.rounds)]
        _report(rounds)
        if not given.cold:
            _report_unpacking([unpacking(built, folder) for _ in range(given.rounds)])
            _report_standby([standby(built, scenario, folder) for _ in range(given.rounds)])
            _report_opened(built, folder)
            _draw([each.boots[Way.GITHUB] for each in rounds], given.svg)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make bench-boot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--cold", action="store_true", help="empty page cache, slow disk; root")
    parser.add_argument("--svg", type=Path, default=PICTURE, help="where the picture goes")
    return parser


class Round:
    """Everything once, one after the other."""

    def __init__(self, boots: dict[Way, Boot], shell: Shell, stock: Stock) -> None:
        self.boots, self.shell, self.stock = boots, shell, stock


def _round(built: BuiltArchive, folder: Path, before: Callable[[], None]) -> Round:
    scenario = job(JOB_SECONDS)
    with serving(built.path) as url, tempfile.TemporaryDirectory(dir=folder) as place:
        before()
        shell = shell_way(f"{url}/archive", built.sha256, Path(place))
    stock = stock_prefect(folder, before=before)
    boots = {way: boot(way, built, scenario, folder, before) for way in Way}
    return Round(boots, shell, stock)


@contextmanager
def _folder() -> Iterator[Path]:
    enough = ROOMY.is_dir() and _free(ROOMY) > ROOMY_BYTES
    with tempfile.TemporaryDirectory(prefix="bench-boot-", dir=ROOMY if enough else None) as name:
        yield Path(name)


def _free(path: Path) -> int:
    there = os.statvfs(path)
    return there.f_bavail * there.f_frsize


def _report(rounds: list[Round]) -> None:
    print(f"seconds from process start, medians of {len(rounds)} (lowest to highest)\n")
    print(f"{'':28}" + "".join(f"{way:>24}" for way in Way))
    for name, value in TIMES.items():
        cells = (_spread(value(each.boots[way]) for each in rounds) for way in Way)
        print(f"{name:28}" + "".join(f"{cell:>24}" for cell in cells))
    print()
    print(f"shell way to run.sh         {_spread(each.shell.seconds for each in rounds)} s, CPU {_spread(each.shell.cpu_seconds for each in rounds)} s")  # fmt: skip
    print(f"stock Prefect to first task {_spread(each.stock.first_task for each in rounds)} s, CPU {_spread(each.stock.cpu_seconds for each in rounds)} s, PSS {_spread(each.stock.pss_mb for each in rounds)} MB")  # fmt: skip
    print("\nratios, of pairs of one round")
    for what, ratio in _RATIOS.items():
        print(f"  {what:58}{_spread(ratio(each) for each in rounds)}")
    print()


_RATIOS: dict[str, Callable[[Round], float]] = {
    "first task body / stock Prefect's": lambda r: r.boots[Way.DISK].first_task / r.stock.first_task,
    "run.sh started, runner on disk / stock's first task": lambda r: r.boots[Way.DISK].run_sh / r.stock.first_task,
    "run.sh started, S3 cache / the shell way": lambda r: r.boots[Way.CACHE].run_sh / r.shell.seconds,
    "run.sh started, GitHub / the shell way": lambda r: r.boots[Way.GITHUB].run_sh / r.shell.seconds,
    "memory while the job runs / stock's": lambda r: r.boots[Way.DISK].pss_mb / r.stock.pss_mb,
}  # fmt: skip


def _report_unpacking(measured: list[Unpacking]) -> None:
    print("download, check and unpack alone, against the shell way of the same round")
    for name in ("GitHub", "S3"):
        parts = [each.of[name] for each in measured]
        ratio = _spread(each.of[name].seconds / each.shell.seconds for each in measured)
        print(f"  {name:8}{_spread(p.seconds for p in parts)} s, ratio {ratio}, CPU {_spread(p.cpu_seconds for p in parts)} s, memory +{_spread(p.peak_mb for p in parts)} MB")  # fmt: skip
    print()


def _report_standby(measured: list[Standby]) -> None:
    print("a warm spare, from the config's appearance in SSM")
    print(f"  until it is read             {_spread(each.seen for each in measured)} s")
    print(f"  from then to run.sh started  {_spread(each.run_sh for each in measured)} s\n")


def _report_opened(built: BuiltArchive, folder: Path) -> None:
    print("files opened and megabytes of them, process start to end; peak PSS until run.sh")
    for way in Way:
        seen = observed(way, built, job(JOB_SECONDS), folder, folder / f"opened-{way.name}")
        print(f"  {way:16}{seen.files:6} files {seen.mb:7.1f} MB  peak {seen.peak_pss_mb:5.0f} MB")
    with tempfile.NamedTemporaryFile(dir=folder) as counted:
        stock_prefect(folder, Path(counted.name))
        files, mb = opened(Path(counted.name), folder)
    print(f"  {'stock Prefect':16}{files:6} files {mb:7.1f} MB\n")


def _draw(boots: list[Boot], path: Path) -> None:
    middle = sorted(boots, key=lambda each: each.run_sh)[len(boots) // 2]
    title = f"From process start to a listening runner: GitHub, 200 MB archive, {_machine()}"
    path.write_text(timeline(title, middle.spans, middle.listening + 1.0))
    print(f"timeline: {path}")


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    version = subprocess.run([sys.executable, "-V"], capture_output=True, text=True, check=True)
    return f"{cores} cores, {version.stdout.strip()}"


def _spread(values: Iterable[float]) -> str:
    numbers = sorted(values)
    return f"{statistics.median(numbers):.2f} ({numbers[0]:.2f} to {numbers[-1]:.2f})"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
