"""What the demo comes to: how long each stage took, each promise as it was seen, why the run ended; for a person or a machine."""

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.demo.play import Play
from agent.demo.promises import Promise, progress
from agent.demo.steps import MB, Step
from agent.journal.facts import Fact
from agent.journal.progress import Progress
from agent.outcome import Outcome
from agent.stages.record import outcome_of

NEXT = "Next: make ui · runs-fleet-agent report --help · docs/outcomes.md"
_WIDEST = 100
_LABEL = 38
_BAR = 24
_SEEN_FROM = 60
_NOTHING = ("none", "nothing", "0")


@dataclass(frozen=True, slots=True)
class Seen:
    """A play that is over, and everything that was seen of it.

    Attributes:
        scenario: its name.
        play: with its cloud still up.
        exit_status: the agent's.
        seconds: from the agent's start to its end.
        steps: as they were shown.
        promises: one by one.
    """

    scenario: str
    play: Play
    exit_status: int
    seconds: float
    steps: tuple[Step, ...]
    promises: tuple[Promise, ...]

    @property
    def ok(self) -> bool:
        return all(promise.held for promise in self.promises)


def show(seen: Seen, console: Console) -> None:
    """Prints the report; no line is wider than the console, and none is broken inside a word."""
    width = min(console.width, _WIDEST)
    known = progress(seen.play)
    for line in (
        Text(),
        *_stages(known, width),
        Text(),
        *_promises(seen.promises, width),
        Text(),
        *_facts(seen, known, width),
        *(() if seen.ok else _agents_words(seen.play)),
        Text(),
        _verdict(seen),
        Text(NEXT, "dim"),
    ):
        console.print(line, soft_wrap=not console.is_terminal)


def as_json(seen: Seen) -> str:
    """One JSON object; docs/demo.md says what is in it."""
    known = progress(seen.play)
    outcome = outcome_of(known)
    whole: dict[str, Any] = {
        "scenario": seen.scenario,
        "title": seen.play.script.title,
        "ok": seen.ok,
        "seconds": round(seen.seconds, 1),
        "exit_status": seen.exit_status,
        "reason": outcome.reason,
        "status": outcome.status,
        "job_result": outcome.job_result,
        "detail": outcome.detail,
        "mend": outcome.next_step,
        "stages": [{"stage": name, "seconds": seconds} for name, seconds in _times(known)],
        "steps": [_step(step) for step in seen.steps],
        "promises": [asdict(promise) for promise in seen.promises],
        "messages": seen.play.cloud.messages(),
    }
    return json.dumps(whole, indent=2)


def _step(step: Step) -> dict[str, object]:
    shown = ("seconds", "event", "what", "detail", "warning")
    return {name: getattr(step, name) for name in shown}


def _times(known: Progress) -> list[tuple[str, float]]:
    times = [
        ("runner config read", _seconds(known.config)),
        ("runner downloaded and verified", _seconds(known.placed)),
        ("runner registered", _seconds(known.registered)),
        ("agent's start to run.sh", _seconds(known.runner_started, "total_seconds")),
        ("run.sh to the end of the job", _between(known.runner_started, known.ended)),
        ("end of the job to the terminate call", _between(known.ended, known.terminated)),
    ]
    return [(name, seconds) for name, seconds in times if seconds is not None]


def _stages(known: Progress, width: int) -> Iterable[Text]:
    times = _times(known)
    room = min(_BAR, width - _LABEL - 14)
    most = max((seconds for _, seconds in times), default=1.0) or 1.0
    yield Text("How long it took", "bold")
    for name, seconds in times:
        line = Text(f"  {name:<{_LABEL}}")
        line.append(f"{seconds:7.2f} s  ", "cyan")
        line.append("━" * round(room * seconds / most), "cyan")
        yield line


def _promises(promises: Iterable[Promise], width: int) -> Iterable[Text]:
    yield Text("What was promised, looked at from outside", "bold")
    for promise in promises:
        line = Text("  ")
        line.append("✓ " if promise.held else "✗ ", "green" if promise.held else "red")
        line.append(promise.what)
        if (
            promise.held
            and len(promise.seen) <= width - _SEEN_FROM
            and promise.seen not in _NOTHING
        ):
            line.append(" " * max(1, _SEEN_FROM - len(line)) + promise.seen, "dim")
        yield line
        if not promise.held:
            yield from _indented(f"seen: {promise.seen}", width)


def _facts(seen: Seen, known: Progress, width: int) -> Iterable[Text]:
    """What SQS, S3 and GitHub were told, and why the run ended where that was not the job's end."""
    cloud = seen.play.cloud
    sent = ", then ".join(f"`{message['status']}`" for message in cloud.messages())
    yield Text(f"SQS     {sent or 'no message'}")
    for size, _ in cloud.cached_archives().values():
        yield Text(f"S3      the runner's archive, {size / MB:.1f} MB")
    ends = ", ".join(str(each["conclusion"]) for each in cloud.github.conclusions)
    registered = "1 runner registered" if cloud.github.runners else "no runner registered"
    yield Text(f"GitHub  {registered}, {f'job concluded: {ends}' if ends else 'no job concluded'}")
    yield from _why(outcome_of(known), width)


def _why(outcome: Outcome, width: int) -> Iterable[Text]:
    if not outcome.sentence:
        return
    yield Text()
    yield Text.assemble(("Why it ended: ", "bold"), (outcome.reason, "yellow"))
    yield from _indented(outcome.detail, width)
    yield from _indented(f"→ {outcome.next_step}", width)


def _indented(text: str, width: int) -> Iterable[Text]:
    blank = "    "
    for line in textwrap.wrap(text, width, initial_indent=blank, subsequent_indent=blank, break_on_hyphens=False):  # fmt: skip
        yield Text(line)


def _agents_words(play: Play) -> Iterable[Text]:
    yield Text()
    yield Text("A promise was broken; the agent said:", "red")
    yield from (Text(line) for line in play.lines)


def _verdict(seen: Seen) -> Text:
    took = f"{seen.seconds:.1f} s"
    if seen.ok:
        return Text(f"All promises held, {took} in all.", "bold green")
    broken = sum(not promise.held for promise in seen.promises)
    return Text(f"{broken} of {len(seen.promises)} promises broken, {took} in all.", "bold red")


def _seconds(fact: Fact | None, field: str = "seconds") -> float | None:
    return None if fact is None else float(getattr(fact, field))


def _between(first: Fact | None, second: Fact | None) -> float | None:
    if first is None or second is None:
        return None
    return (datetime.fromisoformat(second.at) - datetime.fromisoformat(first.at)).total_seconds()
