"""What is known of a run, before anybody has made sense of it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.journal.facts import Fact, RunBegan
from agent.journal.journal import read
from agent.logs.spool import SPOOL
from agent.report.facts_said import facts_said
from agent.report.lines import Line, metrics, parsed
from agent.report.plain import is_moment

MOST_BYTES = 16 * 1024 * 1024
"""Of the agent's log on this machine, from its end."""
LAST_LINES = 12
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts in their order, the agent's lines, and where its words went."""

    source: str
    """Where this comes from, for a person."""
    facts: tuple[Fact, ...]
    lines: tuple[Line, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    runner_said: tuple[str, ...] = ()
    """The last lines that `config.sh` and `run.sh` printed."""
    log_group: str = ""
    account_id: str = ""


def of_machine(state_dir: Path) -> Evidence:
    """What this machine has: its journal, and the spool while it is there. Without a journal there are no facts."""
    journal, spool = state_dir / "journal.jsonl", state_dir / SPOOL
    known = tuple(fact for fact in read(journal) if is_moment(fact.at))
    texts = _end_of(spool / "agent.log", MOST_BYTES)
    began = next((fact for fact in known if isinstance(fact, RunBegan)), None)
    return Evidence(
        source=f"the journal {journal}",
        facts=known,
        lines=tuple(parsed(texts)),
        metrics=metrics(texts),
        runner_said=last_lines(
            [
                text
                for name in ("config.log", "run.log")
                for text in _end_of(spool / name, _TAIL_BYTES)
            ]
        ),
        log_group=(began.log_group or "") if began else "",
    )


def of_lines(
    texts: list[str], *, source: str, log_group: str, account_id: str, runner: Iterable[str] = ()
) -> Evidence:
    """What the agent stream of a run says, and the end of its runner stream."""
    lines = tuple(parsed(texts))
    return Evidence(
        source=source,
        facts=facts_said(lines),
        lines=lines,
        metrics=metrics(texts),
        runner_said=last_lines(runner),
        log_group=log_group,
        account_id=account_id,
    )


def last_lines(texts: Iterable[str]) -> tuple[str, ...]:
    """The runner's last words, without what came out of `_diag`."""
    own = [text for text in texts if text.strip() and not text.startswith("[_diag/")]
    return tuple(own[-LAST_LINES:])


def _end_of(path: Path, most: int) -> list[str]:
    """Whole lines from the end of a file; a missing one is empty."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - most))
            data = file.read(most)
    except OSError:
        return []
    lines = data.decode(errors="replace").split("\n")
    return lines[1:] if length > most else lines
