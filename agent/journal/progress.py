"""What the facts add up to, and what the end still owes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

from agent.journal import facts
from agent.journal.facts import Fact
from agent.outcome import Status


class Owed(StrEnum):
    """What an ending run owes, in the order in which it is paid (contract section 7)."""

    STOP_RUNNER = "stop_runner"
    SHIP_LOGS = "ship_logs"
    FINAL_MESSAGE = "final_message"
    CLEAN_UP = "clean_up"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True)
class Progress:
    """One immutable value made of the journal's facts; a field is None until its fact is there."""

    began: facts.RunBegan | None = None
    instance: facts.InstanceKnown | None = None
    config: facts.ConfigFetched | None = None
    placed: facts.RunnerPlaced | None = None
    registered: facts.Registered | None = None
    runner_started: facts.RunnerStarted | None = None
    parameters_deleted: facts.ParametersDeleted | None = None
    stop_asked: facts.StopAsked | None = None
    job_seen: facts.JobSeen | None = None
    ended: facts.Ended | None = None
    runner_gone: facts.RunnerGone | None = None
    logs_flushed: facts.LogsFlushed | None = None
    started_message: facts.MessageSent | None = None
    final_message: facts.MessageSent | None = None
    given_up: facts.MessageGivenUp | None = None
    cleaned_up: facts.CleanedUp | None = None
    terminated: facts.TerminateCalled | None = None
    shipped: tuple[facts.LogShipped, ...] = ()
    """The newest offset for each pair of stream and file."""

    @classmethod
    def of(cls, all_facts: Iterable[Fact]) -> "Progress":
        return reduce(_fold, all_facts, cls())

    def then(self, fact: Fact) -> "Progress":
        """With one fact more."""
        return _fold(self, fact)

    def owed(self) -> tuple[Owed, ...]:
        """What the end still needs, in order; empty when nothing is owed any more."""
        paid = {
            Owed.STOP_RUNNER: self.runner_started is None or self.runner_gone is not None,
            Owed.SHIP_LOGS: self.logs_flushed is not None,
            Owed.FINAL_MESSAGE: self.final_message is not None or self.given_up is not None,
            Owed.CLEAN_UP: self.cleaned_up is not None,
            Owed.TERMINATE: self.terminated is not None,
        }
        return tuple(owed for owed in Owed if not paid[owed])

    def offset(self, stream: str, path: str) -> int:
        """How many bytes of the file have been sent to the stream."""
        return max(
            (s.offset for s in self.shipped if (s.stream, s.path) == (stream, path)), default=0
        )


_FIELDS: dict[type[Fact], str] = {
    facts.RunBegan: "began",
    facts.InstanceKnown: "instance",
    facts.ConfigFetched: "config",
    facts.RunnerPlaced: "placed",
    facts.Registered: "registered",
    facts.RunnerStarted: "runner_started",
    facts.ParametersDeleted: "parameters_deleted",
    facts.StopAsked: "stop_asked",
    facts.JobSeen: "job_seen",
    facts.Ended: "ended",
    facts.RunnerGone: "runner_gone",
    facts.LogsFlushed: "logs_flushed",
    facts.MessageGivenUp: "given_up",
    facts.CleanedUp: "cleaned_up",
    facts.TerminateCalled: "terminated",
}


def _fold(progress: Progress, fact: Fact) -> Progress:
    match fact:
        case facts.LogShipped():
            others = (s for s in progress.shipped if (s.stream, s.path) != (fact.stream, fact.path))
            return replace(progress, shipped=(*others, fact))
        case facts.MessageSent(status=Status.STARTED):
            name = "started_message"
        case facts.MessageSent():
            name = "final_message"
        case _:
            name = _FIELDS[type(fact)]
    if getattr(progress, name) is not None:
        return progress  # the first of a kind counts: a stage that ran twice changes nothing
    changes: dict[str, Fact] = {name: fact}
    return replace(progress, **changes)  # type: ignore[arg-type]  # the table above pairs names and types
