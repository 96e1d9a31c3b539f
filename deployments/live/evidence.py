"""What a run left behind, as far as the checks ask for it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.read_logs import Said
from deployments.live.record import Record
from deployments.live.scenarios import SCENARIOS, Scenario


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record and the two log streams, by line."""

    record: Record
    agent: tuple[str, ...]
    runner: tuple[str, ...]

    @classmethod
    def of(cls, record: Record, events: Iterable[Said]) -> "Evidence":
        """Sorts the events by their stream."""
        by_stream: dict[str, list[str]] = {"agent": [], "runner": []}
        for each in events:
            by_stream.setdefault(each.stream.rpartition("/")[2], []).append(each.text)
        return cls(record, tuple(by_stream["agent"]), tuple(by_stream["runner"]))

    @property
    def scenario(self) -> Scenario:
        return SCENARIOS[self.record.scenario]

    def events(self, name: str) -> list[str]:
        """What the agent said under this name, such as `runner.verified`: the fields of each."""
        found = (re.search(rf" {re.escape(name)}( .*)?$", line) for line in self.agent)
        return [(match[1] or "").strip() for match in found if match]

    def field(self, name: str, field: str) -> str:
        """A field of the last event of this name; empty where there is none."""
        said = self.events(name)
        match = re.search(rf'(?:^| ){field}=("[^"]*"|\S+)', said[-1]) if said else None
        return match[1].strip('"') if match else ""

    def metric(self, name: str) -> float | None:
        """Of the line of embedded metrics, which the agent writes once a run; None where it is not there."""
        values = [_metrics(line).get(name) for line in self.agent if '"_aws"' in line]
        return float(values[-1]) if values and values[-1] is not None else None

    def runner_said(self, text: str) -> bool:
        return any(text in line for line in self.runner)


def _metrics(line: str) -> Mapping[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
