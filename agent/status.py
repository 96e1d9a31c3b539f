"""`runs-fleet-agent status`: what the journal knows, for a person or a machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.journal.journal import read
from agent.journal.progress import Progress


def as_json(path: Path) -> str:
    """One JSON object: each fact by its name, null where it has not happened, and what is still owed."""
    progress = Progress.of(read(path))
    known: dict[str, Any] = asdict(progress)
    return json.dumps({**known, "owed": progress.owed()}, indent=2)


def as_text(path: Path) -> str:
    """One line a fact, in order, then what is still owed."""
    facts = read(path)
    if not facts:
        return f"no run is known on this machine: {path} holds nothing; RUNS_FLEET_STATE_DIR says where the journal is"
    lines = [f"{fact.at}  {fact.kind:<20} {_fields(asdict(fact))}".rstrip() for fact in facts]
    owed = ", ".join(Progress.of(facts).owed()) or "nothing: the instance was ended"
    return "\n".join([*lines, f"still owed: {owed}"])


def unreadable(path: Path) -> str | None:
    """Why the journal cannot be read, with what to do about it; None where it can, or is not there."""
    try:
        with path.open("rb"):
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        return f"{path} cannot be read: {exc.strerror}; the journal is the agent's own, so ask as root (sudo)"


def _fields(fact: dict[str, Any]) -> str:
    return " ".join(f"{k}={v}" for k, v in fact.items() if k != "at" and v not in ("", None))
