"""Plays the ways one after another and prints the table; `--quick` for a look, with fewer lines."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDS = 3
KILLED_AT_LEAST_SECONDS = 10
PAIRS = 5
WORK_BYTES = 64 * 1024
"""Hashed before each line of the busy job: some 40 microseconds."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Measured:
    """One way, once."""

    write_seconds: float
    all_seconds: float
    """From the first line written to the last one at the endpoint."""
    cpu_seconds: float
    peak_mb: float
    """Over what the process took before it read the first line."""
    verdict: dict[str, Any]


class Bench:
    """A directory, an endpoint, and the processes between them."""

    def __init__(self, folder: Path, lines: int) -> None:
        """Starts nothing yet."""
        self.folder = folder
        self.lines = lines

    def alone(self, *, work: int = 0) -> float:
        """Seconds that the writer takes when nobody reads along."""
        with (self.folder / "alone.log").open("wb") as spool:
            return float(self._write(spool, work=work).communicate()[1])

    def cat(self) -> float:
        """Seconds of a plain copy of the same file."""
        began = time.monotonic()
        with (self.folder / "copy.log").open("wb") as copy:
            subprocess.run(["cat", self.folder / "alone.log"], stdout=copy, check=True)
        return time.monotonic() - began

    def ours(
        self,
        *,
        refuse: float = 0,
        outages: tuple[tuple[float, float], ...] = (),
        kill_every: float = 0,
        pace: float = 0,
        work: int = 0,
    ) -> Measured:
        """Our shipper beside the writer, its process killed again and again where asked for."""
        paths = [self.folder / name for name in ("run.log", "over", "offsets")]
        for path in paths:
            path.unlink(missing_ok=True)
        spool, over, _ = paths
        with _endpoint(self.folder, refuse, outages) as url:
            command = [*_SHIP, "ours", url, *map(str, paths)]
            shipper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            began = time.monotonic()
            with spool.open("wb") as file:
                writer = self._write(file, pace, work)
                while kill_every and (
                    writer.poll() is None or time.monotonic() - began < KILLED_AT_LEAST_SECONDS
                ):
                    time.sleep(kill_every)
                    shipper.send_signal(signal.SIGKILL)
                    shipper.communicate()
                    shipper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                write_seconds = float(writer.communicate()[1])
            over.touch()
            said = shipper.communicate(timeout=600)[0]
            if shipper.returncode != 0:
                raise SystemExit("the shipper did not send everything in 300 s")
            return self._measured(url, began, write_seconds, said)

    def peer(self) -> Measured:
        """The writer's pipe read by the peer's way."""
        with _endpoint(self.folder, 0, ()) as url:
            shipper = subprocess.Popen(
                [*_SHIP, "peer", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            time.sleep(1)
            began = time.monotonic()
            writer = self._write(shipper.stdin)
            write_seconds = float(writer.communicate()[1])
            said = shipper.communicate(timeout=600)[0]
            return self._measured(url, began, write_seconds, said)

    def _write(self, to: Any, pace: float = 0, work: int = 0) -> "subprocess.Popen[str]":
        given = map(str, (self.lines, pace, work))
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.logs.writer", *given],
            stdout=to,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _measured(self, url: str, began: float, write_seconds: float, said: str) -> Measured:
        with urllib.request.urlopen(f"{url}/verdict?lines={self.lines}") as answer:  # noqa: S310 - loopback
            verdict = json.load(answer)
        cpu, peak = map(float, said.split())
        return Measured(write_seconds, verdict["last_at"] - began, cpu, peak, verdict)


_SHIP = (sys.executable, "-m", "benchmarks.logs.ship")


@contextmanager
def _endpoint(
    folder: Path, refuse: float, outages: tuple[tuple[float, float], ...]
) -> Iterator[str]:
    port = folder / "port"
    port.unlink(missing_ok=True)
    given = (str(port), str(refuse), json.dumps(outages))
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.logs.endpoint", *given])
    # In truth it is another machine.
    os.setpriority(os.PRIO_PROCESS, process.pid, 19)
    try:
        waiting, until = threading.Event(), time.monotonic() + 20
        while not port.exists():
            if time.monotonic() > until:
                raise SystemExit("the endpoint did not start")
            waiting.wait(0.02)
        yield f"http://127.0.0.1:{port.read_text()}"
    finally:
        process.kill()
        process.wait()


def main(arguments: list[str]) -> int:
    """Plays everything; 1 when a line was lost, repeated or out of order."""
    parser = argparse.ArgumentParser("make bench-logs", description=__doc__)
    parser.add_argument("--lines", type=int, default=MILLION)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="without the faults")
    given = parser.parse_args(arguments)
    os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}
    with tempfile.TemporaryDirectory(prefix="bench-logs-") as folder:
        bench = Bench(Path(folder), given.lines)
        good = _speed(bench, given.rounds)
        if not given.quick:
            good &= _paced(bench) & _slowed(bench) & _faults(bench)
    return 0 if good else 1


def _speed(bench: Bench, rounds: int) -> bool:
    alone, cat, ours, peer = [], [], [], []
    for _ in range(rounds):
        alone.append(bench.alone())
        cat.append(bench.cat())
        ours.append(bench.ours())
        peer.append(bench.peer())
    print(f"{bench.lines:,} lines of 200 bytes, medians of {rounds}\n")
    print(f"{'':24}{'lines/s':>12}{'CPU s/million':>15}{'peak MB':>9}{'lag s':>8}{'write s':>9}")
    print(f"{'writing alone':24}{'':>44}{statistics.median(alone):9.2f}")
    print(f"{'cat':24}{bench.lines / statistics.median(cat):12,.0f}")
    for name, measured in (("ours", ours), ("peer", peer)):
        print(f"{name:24}{_row(bench, measured)}")
    print()
    return _complete("ours", ours) & _complete("peer", peer)


def _row(bench: Bench, measured: list[Measured]) -> str:
    def middle(values: Iterator[float]) -> float:
        return statistics.median(values)

    rate = bench.lines / middle(each.all_seconds for each in measured)
    cpu = middle(each.cpu_seconds for each in measured) * MILLION / bench.lines
    peak = middle(each.peak_mb for each in measured)
    lag = middle(each.verdict["worst_lag"] for each in measured)
    write = middle(each.write_seconds for each in measured)
    return f"{rate:12,.0f}{cpu:15.2f}{peak:9.0f}{lag:8.2f}{write:9.2f}"


def _paced(bench: Bench) -> bool:
    """A job that says much, but not all that a disk takes: what it feels of the shipper, and how far behind the log is."""
    pace, few = 20_000.0, Bench(bench.folder, bench.lines // 5)
    measured = few.ours(pace=pace)
    print(f"at {pace:,.0f} lines a second: lag {measured.verdict['worst_lag']:.2f} s, "
          f"CPU {measured.cpu_seconds / measured.all_seconds:.0%} of a core")  # fmt: skip
    return _complete("paced", [measured])


def _slowed(bench: Bench) -> bool:
    """A job that computes on one core and says much: how much longer it takes because somebody reads along."""
    few = Bench(bench.folder, bench.lines // 10)
    slowed, shipped = [], []
    for _ in range(PAIRS):
        alone = few.alone(work=WORK_BYTES)
        shipped.append(few.ours(work=WORK_BYTES))
        slowed.append(shipped[-1].write_seconds / alone - 1)
    rate = few.lines / statistics.median(each.write_seconds for each in shipped)
    print(f"a busy job of {rate:,.0f} lines a second is slowed by {statistics.median(slowed):.1%} "
          f"(median of {PAIRS} pairs, {min(slowed):.1%} to {max(slowed):.1%})")  # fmt: skip
    return _complete("busy", shipped)


def _faults(bench: Bench) -> bool:
    few = Bench(bench.folder, bench.lines // 5)
    trials = {
        "30 % of calls fail": few.ours(refuse=0.3),
        "outages of 20 s": few.ours(outages=((0.0, 20.0),)),
        "killed every second": few.ours(kill_every=1.0, pace=20_000.0),
    }
    for name, measured in trials.items():
        verdict = measured.verdict
        print(f"{name:24} calls {verdict['calls']}, refused {verdict['refused']}, lines repeated {verdict['repeated']}, all in {measured.all_seconds:.1f} s")  # fmt: skip
    # Killed between CloudWatch's answer and the note of it, a shipper sends that one batch again.
    verdicts = [
        _complete(name, [measured], repeats=name == "killed every second")
        for name, measured in trials.items()
    ]
    return all(verdicts)


def _complete(name: str, measured: list[Measured], *, repeats: bool = False) -> bool:
    good = True
    for verdict in (each.verdict for each in measured):
        if verdict["missing"] or (verdict["repeated"] and not repeats) or not verdict["in_order"] or verdict["broken"]:  # fmt: skip
            print(f"{name}: {verdict}")
            good = False
    return good


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
