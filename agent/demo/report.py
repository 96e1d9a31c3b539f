"""The report after the demo: each stage's time, the promises one by one, the messages as they were queued."""

import json
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.demo.play import Play
from agent.demo.promises import Promise, progress
from agent.journal.facts import Fact
from agent.journal.progress import Progress


def report(play: Play, promises: list[Promise], console: Console) -> None:
    """Prints it."""
    console.print()
    console.print(_stages(progress(play)))
    console.print(_promises(promises))
    for number, message in enumerate(play.cloud.messages(), start=1):
        console.print(f"[bold]SQS message {number}[/]")
        console.print_json(json.dumps(message))
    cached = play.cloud.cached_archives()
    for key, (size, metadata) in cached.items():
        console.print(f"S3: {key}, {size:,} bytes, sha256 {metadata.get('sha256', '-')[:12]}…")
    conclusions = [c["conclusion"] for c in play.cloud.github.conclusions]
    console.print(f"GitHub: {len(play.cloud.github.runners)} runner registered, job conclusion {conclusions or 'none'}")  # fmt: skip


def _stages(known: Progress) -> Table:
    table = Table(title="Stages", title_justify="left", title_style="bold", box=None)
    table.add_column("stage")
    table.add_column("seconds", justify="right", style="cyan")
    for name, seconds in _times(known):
        table.add_row(name, f"{seconds:.2f}")
    return table


def _times(known: Progress) -> list[tuple[str, float]]:
    times = [
        ("config: asked for → read", _seconds(known.config)),
        ("runner: asked for → verified, in its place", _seconds(known.placed)),
        ("register", _seconds(known.registered)),
        ("agent's start → run.sh started", _seconds(known.runner_started, "total_seconds")),
        ("run.sh started → job over", _between(known.runner_started, known.ended)),
        ("job over → terminate call made", _between(known.ended, known.terminated)),
    ]
    return [(name, seconds) for name, seconds in times if seconds is not None]


def _seconds(fact: Fact | None, field: str = "seconds") -> float | None:
    return None if fact is None else float(getattr(fact, field))


def _between(first: Fact | None, second: Fact | None) -> float | None:
    if first is None or second is None:
        return None
    return (datetime.fromisoformat(second.at) - datetime.fromisoformat(first.at)).total_seconds()


def _promises(promises: list[Promise]) -> Table:
    table = Table(title="\nPromises", title_justify="left", title_style="bold", box=None)
    table.add_column()
    table.add_column("promise")
    table.add_column("seen", style="dim")
    for promise in promises:
        mark = "[green]✓[/]" if promise.held else "[red]✗[/]"
        table.add_row(mark, Text(promise.what), Text(promise.seen))
    return table
