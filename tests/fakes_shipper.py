"""A shipper on a CloudWatch in memory."""

import threading
from collections.abc import Callable
from pathlib import Path

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.logs.shipper import Shipper
from agent.redact import Redactor
from tests.fakes_logs import FakeLogs

GROUP, AGENT, RUNNER = "/runs-fleet/agent", "4711/i-1/agent", "4711/i-1/runner"
CLOCK = SystemClock()


class Bench:
    """A shipper with a fake CloudWatch, a redactor and a memory of offsets."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "run.log"
        self.client = FakeLogs(GROUP)
        self.redactor = Redactor()
        self.offsets: dict[tuple[str, Path], int] = {}
        self.shippers: list[Shipper] = []
        self.housekeeping: Callable[[], object] = lambda: None
        self._before = shipper_threads()

    def shipper(self, flush_seconds: float = 30.0, poll_seconds: float = 0.01) -> Shipper:
        shipper = Shipper(
            self.client,
            GROUP,
            clock=CLOCK,
            redactor=self.redactor,
            on_shipped=self.shipped,
            flush_seconds=flush_seconds,
            poll_seconds=poll_seconds,
            housekeeping=self.housekeeping,
        )
        self.shippers.append(shipper)
        return shipper

    def wait_until_open(self, path: Path) -> None:
        """Until this process has the file open, twice where the test itself has it."""
        deadline = soon()
        while sum(_is(link, path) for link in Path("/proc/self/fd").iterdir()) < 2:
            assert not deadline.expired, f"nobody opened {path}"

    def threads(self) -> list[threading.Thread]:
        """Of its own shippers."""
        return [thread for thread in shipper_threads() if thread not in self._before]

    def shipped(self, stream: str, path: Path, offset: int) -> None:
        self.offsets[stream, path] = offset


def shipper_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("logs ")]


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def say(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


def _is(link: Path, path: Path) -> bool:
    try:
        return link.readlink() == path
    except OSError:
        return False
