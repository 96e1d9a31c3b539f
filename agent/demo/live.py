"""What a person sees while the demo runs: stages as they happen, the download, log lines as they arrive in CloudWatch."""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.demo.play import Play

STAGES = {
    "run.began": "agent started; Prefect takes 10 to 20 s",
    "config.fetched": "runner config read from SSM",
    "runner.on_disk": "runner is on the disk already",
    "runner.downloaded": "runner downloaded and unpacked",
    "runner.verified": "SHA-256 verified, runner in its place",
    "runner.registered": "runner registered at GitHub",
    "runner.started": "run.sh started",
    "runner.listening": "runner listens for jobs",
    "job.started": "job started",
    "run.ended": "job over",
    "logs.shipped": "log complete in CloudWatch",
    "clean_up.complete": "cleaned up",
    "instance.terminating": "instance terminating",
}
MESSAGES = {"started": "`started` queued in SQS"}
_EVENT = re.compile(r"^\S+Z (?P<level>[A-Z]+) \S+ (?P<name>[a-z_]+\.[A-Za-z_]+)(?P<fields>.*)$")
_BYTES = re.compile(r" bytes=(\d+) of=(\d+)")
LINES_SHOWN = 8
DETAIL_FROM = 52
"""The column where an event's fields begin; they are cut at the terminal's edge."""


class LiveView:
    """Follows a play; on a terminal one picture that changes, elsewhere a line for each step."""

    def __init__(self, play: Play, console: Console) -> None:
        """Shows nothing before `shown`."""
        self._play = play
        self._console = console
        self._began = play.clock.monotonic()
        self._read = 0
        self._steps: list[tuple[float, str, str]] = []
        self._arrived: deque[str] = deque(maxlen=LINES_SHOWN)
        self._count = 0
        self._download: tuple[int, int] | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it lasts `refresh` may be called."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._picture(), console=self._console, refresh_per_second=8) as live:
            self._live = live
            yield
            live.update(self._picture())

    def refresh(self) -> None:
        """Takes in what is new."""
        new = self._play.lines[self._read :]
        self._read += len(new)
        for line in new:
            self._hear(line)
        self._look_at_cloudwatch()
        if self._console.is_terminal:
            self._live.update(self._picture())

    def _hear(self, line: str) -> None:
        match = _EVENT.match(line)
        if match is None:
            return
        name, fields = match["name"], match["fields"].strip()
        if name == "runner.downloading" and (got := _BYTES.search(match["fields"])):
            self._download = int(got[1]), int(got[2])
        elif name == "message.sent":
            status = fields.partition("status=")[2].split()[0]
            self._step(MESSAGES.get(status, f"final message `{status}` queued in SQS"), "")
        elif name in STAGES:
            self._step(STAGES[name], fields)
        elif match["level"] == "WARNING":
            self._step(f"[yellow]{name}[/]", fields)

    def _step(self, what: str, detail: str) -> None:
        seconds = self._play.clock.monotonic() - self._began
        self._steps.append((seconds, what, detail))
        if not self._console.is_terminal:
            self._console.print(f"{seconds:6.1f} s  {what}", Text(detail, "dim"), soft_wrap=True)

    def _look_at_cloudwatch(self) -> None:
        streams = [name for name in self._play.cloud.log_streams() if name.endswith("/runner")]
        lines = [line for name in streams for line in self._play.cloud.log_lines(name)]
        for line in lines[self._count :]:
            self._arrived.append(line)
            if not self._console.is_terminal and not line.startswith("[_diag/"):
                self._console.print("          │ ", Text(line), sep="", soft_wrap=True)
        self._count = len(lines)

    def _picture(self) -> Group:
        steps = Table.grid(padding=(0, 1))
        steps.add_column(justify="right", style="cyan", no_wrap=True, min_width=6)
        steps.add_column(no_wrap=True, min_width=38)
        steps.add_column(style="dim", no_wrap=True)
        room = max(0, self._console.width - DETAIL_FROM)
        for seconds, what, detail in self._steps:
            steps.add_row(f"{seconds:.1f} s", what, Text(detail[:room]))
        parts: list[object] = [steps]
        if self._download is not None and not any("downloaded" in s[1] for s in self._steps):
            parts.append(ProgressBar(total=self._download[1], completed=self._download[0]))
        words = Text("\n".join(self._arrived), no_wrap=True, overflow="ellipsis")
        title = f"CloudWatch, runner stream: {self._count} lines"
        parts.append(Panel(words, title=title, title_align="left", height=LINES_SHOWN + 2))
        return Group(*parts)  # type: ignore[arg-type]  # rich takes anything that it can render
