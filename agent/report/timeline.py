"""Where each bar of the timeline stands: three parts, each to its own scale, so that a boot of seconds shows beside a job of hours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.report.story import Span, Story

WIDTH = 1000.0
"""Of a lane; bars are placed in these units."""
LEAST = 4.0
"""So that what was quick is seen at all."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the run, drawn to its own scale."""

    name: str
    began: datetime
    ended: datetime
    share: int
    """Of the width, by weight."""

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Bar:
    """A span's place in its lane."""

    span: Span
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """Parts from left to right, lanes from top to bottom."""

    parts: tuple[Part, ...]
    borders: tuple[float, ...]
    """Between the parts."""
    lanes: tuple[tuple[str, tuple[Bar, ...]], ...]


def timeline(story: Story) -> Timeline:
    """Lays the story's spans out; without spans there are no parts and no lanes."""
    if not story.spans:
        return Timeline((), (), ())
    cut = parts(story)
    place = _scale(cut)
    lanes: dict[str, list[Bar]] = {}
    for span in story.spans:
        lanes.setdefault(span.lane, []).append(_bar(span, place))
    borders = tuple(place(part.ended) for part in cut[:-1])
    return Timeline(cut, borders, tuple((lane, tuple(bars)) for lane, bars in lanes.items()))


def parts(story: Story) -> tuple[Part, ...]:
    """Until `run.sh`, until the outcome, until the end; those that there are, in the order of time."""
    first = min(span.began for span in story.spans)
    last = max(span.ended for span in story.spans)
    marks = [first]
    named = []
    for name, until, share in (
        ("start", story.run_sh_at, 4),
        ("job" if story.run_sh_at else "start", story.ended_at, 3),
        ("end" if story.ended_at else "so far", last, 3),
    ):
        if until is not None and marks[-1] < until <= last:
            named.append(Part(name, marks[-1], until, share))
            marks.append(until)
    return tuple(named)


def _scale(cut: tuple[Part, ...]) -> Callable[[datetime], float]:
    """From a moment to its place."""
    whole = sum(part.share for part in cut)

    def place(at: datetime) -> float:
        left = 0.0
        for part in cut:
            width = WIDTH * part.share / whole
            if at <= part.ended:
                inside = (at - part.began).total_seconds() / part.seconds
                return left + width * min(1.0, max(0.0, inside))
            left += width
        return WIDTH

    return place


def _bar(span: Span, place: Callable[[datetime], float]) -> Bar:
    left, right = place(span.began), place(span.ended)
    width = max(LEAST, right - left)
    return Bar(span, min(left, WIDTH - width), width)
