"""`make chaos`: seeded runs with random faults until there were as many faults as asked for, and a table of what became of them."""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.faults import wall_clock
from tests.faults.one import Result, play_below
from tests.faults.seeded import Plan, plan

RUNS_A_PROCESS = 20


def main(arguments: Sequence[str]) -> int:
    """0 when every promise held in every run."""
    parser = argparse.ArgumentParser("make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many (200)")
    parser.add_argument(
        "--seed", type=int, default=1000, help="of the first run; the next ones count on"
    )
    parser.add_argument(
        "--only", type=int, help="plays this one seed again, and shows what the agent said"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="runs at a time")
    given = parser.parse_args(arguments)
    plans = [plan(given.only)] if given.only is not None else list(_plans(given.seed, given.faults))
    _forget_own_settings()
    with tempfile.TemporaryDirectory(prefix="runs-fleet-chaos-") as folder:
        results = list(_play_all(plans, Path(folder), given.jobs))
    if given.only is not None:
        print(results[0].said)
    _report(results)
    if wall_clock.LIBRARY is None:
        print(
            "\nThe clock did not jump: install libfaketime (Debian and Ubuntu: the package of this name)."
        )
    return 1 if any(result.broken for result in results) else 0


def _plans(seed: int, faults: int) -> Iterator[Plan]:
    left = faults
    while left > 0:
        made = plan(seed)
        yield made
        left -= len(made.faults)
        seed += 1


def _play_all(plans: Sequence[Plan], folder: Path, jobs: int) -> Iterator[Result]:
    fresh = multiprocessing.get_context("spawn")  # the embedded cloud is one a process
    play = partial(play_below, folder=folder)
    with fresh.Pool(jobs, maxtasksperchild=RUNS_A_PROCESS) as pool:
        for number, result in enumerate(pool.imap_unordered(play, plans), start=1):
            _say(result, number, len(plans))
            yield result


def _say(result: Result, number: int, of: int) -> None:
    faults = "; ".join(str(fault) for fault in result.plan.faults)
    verdict = "ok" if not result.broken else "BROKEN: " + "; ".join(result.broken)
    print(
        f"{number}/{of} seed {result.plan.seed}: {faults} -> {result.reason}: {verdict}", flush=True
    )
    if result.broken:
        print(f"    again: make chaos ONLY={result.plan.seed}", flush=True)


def _report(results: Sequence[Result]) -> None:
    seconds = [result.seconds_to_end for result in results if result.seconds_to_end]
    kinds = Counter(fault.kind for result in results for fault in result.plan.faults)
    rows = {
        "runs": len(results),
        "faults": f"{sum(kinds.values())} ({', '.join(f'{n} {kind}' for kind, n in kinds.most_common())})",
        "endings": ", ".join(f"{n} {r}" for r, n in Counter(r.reason for r in results).most_common()),
        "ended by": ", ".join(f"{n} {by}" for by, n in Counter(r.ended_by for r in results).most_common()),
        "last fault to end": f"median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s" if seconds else "-",
        "jobs that survived": sum(result.job_survived for result in results),
        "messages": ", ".join(f"{n} {s}" for s, n in Counter(m for r in results for m in r.messages).most_common()),
        "log lines lost": sum(result.lines_lost for result in results),
        "left in the spool": sum(result.lines_left for result in results),
        "log lines repeated": sum(result.lines_repeated for result in results),
        "promises broken": sum(bool(result.broken) for result in results),
    }  # fmt: skip
    print()
    for name, value in rows.items():
        print(f"{name:20} {value}")


def _forget_own_settings() -> None:
    for name in [n for n in os.environ if n.startswith(("RUNS_FLEET_", "AWS_", "PREFECT_"))]:
        del os.environ[name]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
