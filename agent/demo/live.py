"""What a person sees while the demo runs: a line for each step, and on a terminal below them what goes on now."""

import re
import textwrap
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agent.demo.play import Play
from agent.demo.steps import FIRST, MB, Download, Step, heard

LINES_SHOWN = 8
_LOGS = ("[_diag/Runner_", "[_diag/Worker_")
_PAGE = re.compile(r"^\[_diag/pages/\S+\] (?:\d{4}-\d\d-\d\dT\S+ )?")
"""What precedes a line of a step's in the stream."""
WHAT_WIDTH = 34
"""Room for the longest of the steps' few words."""
DETAIL_FROM = 10 + WHAT_WIDTH + 1
INDENT = " " * 10
LONGEST_WARNING_LINES = 3
_ROWS_FOR_OTHERS = 6
"""Of the terminal: header, what goes on, the bar, the panel's frame."""


def plainly(environment: Mapping[str, str], *streams: TextIO) -> bool:
    """Whether to write lines only, without colours or anything that moves: for files, CI, and whoever asks for it.

    https://no-color.org; `CI` is what GitHub Actions and most others set.
    """
    if environment.get("NO_COLOR") or environment.get("CI", "").lower() not in ("", "false", "0"):
        return True
    return environment.get("TERM", "") in ("", "dumb") or not all(each.isatty() for each in streams)


def console_on(stream: TextIO, *, plain: bool) -> Console:
    """A console that is a terminal only where that was found, whatever else the environment says."""
    if plain:
        return Console(file=stream, force_terminal=False, color_system=None, highlight=False)
    return Console(file=stream, force_terminal=True, highlight=False)


class LiveView:
    """Follows a play; `steps` is all that happened so far."""

    def __init__(self, console: Console) -> None:
        """Shows nothing before `shown`."""
        self._console = console
        self._now = "a runner's archive, AWS and GitHub are made ready"
        self._read = 0
        self._count = 0
        self._arrived: deque[str] = deque(maxlen=LINES_SHOWN)
        self._download: Download | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._live: Live | None = None
        self._size: ConsoleDimensions = console.size
        self._play: Play | None = None
        self._began = 0.0
        self._header: tuple[str, ...] = ()
        self.steps: list[Step] = []

    def head(self, *lines: str) -> None:
        """Prints what stands above the steps."""
        self._header = lines
        for line in lines:
            text = Text(line, "bold" if line == lines[0] else "")
            self._console.print(text, soft_wrap=not self._console.is_terminal)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it lasts, what goes on now is shown on a terminal; afterwards only the steps are left."""
        if not self._console.is_terminal:
            yield
            return
        self._begin()
        try:
            yield
        finally:
            self.over()

    def over(self) -> None:
        """From now on only the steps are shown. Safe to call twice."""
        if self._live is not None:
            self._live.stop()
        self._live = None

    def watch(self, play: Play) -> None:
        """The agent is started now."""
        self._play, self._began = play, play.clock.monotonic()
        self._now = FIRST
        self.refresh()

    def refresh(self) -> None:
        """Takes in what is new."""
        if self._console.size != self._size and self._live is not None:
            self._start_over()
        if self._play is not None:
            new = self._play.lines[self._read :]
            self._read += len(new)
            for line in new:
                self._take(heard(line, round(self.seconds, 1)))
            if self._live is not None:
                self._look_at_cloudwatch(self._play)
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    @property
    def seconds(self) -> float:
        """Since the agent was started."""
        return self._play.clock.monotonic() - self._began if self._play is not None else 0.0

    def _take(self, said: Step | Download | None) -> None:
        if isinstance(said, Download):
            self._download = said
        elif said is not None:
            self._now = said.then or self._now
            if said.event in ("runner.downloaded", "run.ended"):
                self._download = None
            self.steps.append(said)
            self._print(said)

    def _print(self, step: Step) -> None:
        for line in step_lines(step, self._console.width):
            self._console.print(line, soft_wrap=True)

    def _look_at_cloudwatch(self, play: Play) -> None:
        """What the runner and the job's steps say, as it arrives; the other `_diag` logs are no reading for a first look."""
        streams = [name for name in play.cloud.log_streams() if name.endswith("/runner")]
        lines = [line for name in streams for line in play.cloud.log_lines(name)]
        said = [_PAGE.sub("", line) for line in lines if not line.startswith(_LOGS)]
        self._arrived.extend(said[self._count :])
        self._count = len(said)

    def _begin(self) -> None:
        self._size = self._console.size
        self._live = Live(
            self._picture(),
            console=self._console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        )
        self._live.start(refresh=True)

    def _start_over(self) -> None:
        """On a terminal whose size has changed nobody knows where the lines are: all of it is written anew."""
        self.over()
        self._console.clear()
        self.head(*self._header)
        for step in self.steps:
            self._print(step)
        self._begin()

    def _picture(self) -> Group:
        parts: list[RenderableType] = [self._going_on()]
        if self._download is not None:
            parts.append(self._bar(self._download))
        if rows := min(LINES_SHOWN, self._console.height - _ROWS_FOR_OTHERS):
            parts += self._panel(rows)
        return Group(*parts)

    def _going_on(self) -> Table:
        line = Table.grid(padding=(0, 1))
        line.add_column(width=8, justify="right", style="cyan")
        line.add_column(width=1)
        line.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        line.add_row(f"{self.seconds:.1f} s", self._spinner, f"{self._now} …")
        return line

    def _bar(self, download: Download) -> Table:
        line = Table.grid(padding=(0, 1))
        line.add_column(width=9)
        line.add_column()
        line.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        width = max(4, min(40, self._console.width - 40))
        bar = ProgressBar(total=download.of, completed=download.done, width=width)
        line.add_row("", bar, f"{download.done / MB:.1f} of {download.of / MB:.1f} MB")
        return line

    def _panel(self, rows: int) -> list[RenderableType]:
        if rows < 1 or not self._arrived:
            return []
        words = Text("\n".join(list(self._arrived)[-rows:]), no_wrap=True, overflow="ellipsis")
        title = f"CloudWatch, the runner's stream: {self._count} lines"
        return [Panel(words, title=title, title_align="left", height=rows + 2, border_style="dim")]


def step_lines(step: Step, width: int) -> list[Text]:
    """A step as it is printed: one line, cut with an ellipsis where the terminal is narrow; a warning's sentence below it."""
    line = Text.assemble((f"{step.seconds:6.1f} s  ", "cyan"))
    line.append(step.what, "yellow" if step.warning else "")
    long = step.warning and len(step.detail) > width - DETAIL_FROM
    if step.detail and not long:
        line.append(" " * max(1, DETAIL_FROM - len(line)) + step.detail, "dim")
    line.truncate(width, overflow="ellipsis")
    return [line, *(_wrapped(step.detail, width) if long else [])]


def _wrapped(text: str, width: int) -> list[Text]:
    lines = textwrap.wrap(
        text,
        max(20, width),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        max_lines=LONGEST_WARNING_LINES,
        placeholder=" …",
        break_on_hyphens=False,
    )
    return [Text(line, "dim") for line in lines]


def settle(*streams: TextIO) -> None:
    """A character that the terminal's encoding has not got is shown as `?`, and stops nothing."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
