"""What a process and those below it take: memory and CPU, from /proc."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+)", re.MULTILINE)


class Tree:
    """A process and its descendants, but for those whose command line holds a word."""

    def __init__(self, pid: int, without: str | None = None) -> None:
        """Looks at nothing yet."""
        self._pid = pid
        self._without = without

    def pids(self) -> list[int]:
        return list(self._below(self._pid))

    def pss_mb(self) -> float:
        """Proportional set size: shared pages are shared out."""
        total = 0
        for pid in self.pids():
            try:
                found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
            except OSError:
                continue
            total += int(found[1]) if found else 0
        return total / 1000

    def cpu_seconds(self) -> float:
        """Of those that live, and of the children that they have waited for."""
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(each) for each in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def own_cpu_seconds(self) -> float:
        """Of those that live, alone, to the nanosecond: the clock's ticks count double for who wakes up with them."""
        nanoseconds = 0
        for pid in self.pids():
            try:
                threads = list(Path(f"/proc/{pid}/task").iterdir())
                nanoseconds += sum(int((t / "schedstat").read_text().split()[0]) for t in threads)
            except OSError:
                continue
        return nanoseconds / 1e9

    def _below(self, pid: int) -> Iterator[int]:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            children = [
                child
                for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except (OSError, UnicodeDecodeError):
            return
        if self._without is not None and self._without in command:
            return
        yield pid
        for child in children:
            yield from self._below(int(child))
