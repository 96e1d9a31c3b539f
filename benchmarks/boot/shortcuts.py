"""`python -m benchmarks.boot.shortcuts`: what each shortcut of the start brings, by taking out one at a time.

A small runner that is downloaded from GitHub; times until the first task's body and until `run.sh`, in turns, so that what else
the machine does falls on all of them. With `--cold`, on an empty page cache and a slow disk.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path

import certifi

from agent.localcloud.runner.build import build_archive
from benchmarks.boot import cold
from benchmarks.boot.archive import job
from benchmarks.boot.boot import Way, boot, observed
from benchmarks.boot.pack import UNPACKS, pack

WITHOUT = str(Path(__file__).parent / "without")
NOTHING: dict[str, str] = {}


def variants(folder: Path) -> dict[str, dict[str, str]]:
    """What is set in the agent's environment for each."""
    patched = {
        name: {"PYTHONPATH": WITHOUT, "WITHOUT": name}
        for name in (
            "collector off",
            "few routes",
            "modules left out",
            "models built late",
            "tables loaded",
            "prefetch",
        )
    }
    return {
        "as it is": NOTHING,
        "API in the flow's process (its own, from second zero)": {"RUNS_FLEET_STOCK_PREFECT": "true"},
        **patched,
        "one TLS authority for loopback": {"PREFECT_API_SSL_CERT_FILE": certifi.where()},
        "bytecode compiled beforehand": {"PYTHONPYCACHEPREFIX": str(folder / "none"), "PYTHONDONTWRITEBYTECODE": "1"},
    }  # fmt: skip


def _one_file(packed: Path) -> dict[str, str]:
    return {"PYTHONPATH": UNPACKS, "ONE_FILE": str(packed)}


def main(arguments: list[str]) -> int:
    """Plays every variant in every round, and prints what each brings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    given = parser.parse_args(arguments)
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-boot-", dir="/dev/shm") as name:
        folder, scenario = Path(name), job(0)
        built = build_archive(folder / "release", scenario)
        counted = folder / "opened"
        observed(Way.GITHUB, built, scenario, folder, counted)
        pack(counted.read_text().splitlines(), packed := folder / "modules.tar.zst")
        print(f"all modules in one file: {packed.stat().st_size / 1e6:.1f} MB")
        slow = cold.slow_disk(Path(sys.prefix)) if given.cold else nullcontext()
        before = cold.forget_pages if given.cold else lambda: None
        with slow:
            for number in range(given.rounds):
                link = folder / f"{number}.tar.zst"
                link.hardlink_to(packed)
                with_it = {"with: all modules in one compressed file": _one_file(link)}
                for which, more in (variants(folder) | with_it).items():
                    done = boot(Way.GITHUB, built, scenario, folder, before, observe=False, **more)
                    times[which].append((done.first_task, done.run_sh))
    _report(times)
    return 0


def _report(times: dict[str, list[tuple[float, float]]]) -> None:
    base = [statistics.median(column) for column in zip(*times["as it is"], strict=True)]
    print(f"{'without':60}{'first task':>12}{'run.sh':>10}{'costs':>10}")
    for name, pairs in times.items():
        first, run_sh = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:60}{first:10.2f} s{run_sh:8.2f} s{first - base[0]:+8.2f} s")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
