"""What happened, in order: each fact, and each event that is no fact but that a reader wants to know of."""

from collections.abc import Callable, Iterator
from typing import Any

from agent.journal import facts
from agent.journal.facts import Fact
from agent.outcome import Status
from agent.report.evidence import Evidence
from agent.report.lines import Line
from agent.report.plain import duration, moment, number, plain, size
from agent.report.story import Moment


def moments(evidence: Evidence) -> tuple[Moment, ...]:
    """By time; what has one time keeps its order."""
    told = [*_of_facts(evidence.facts), *_of_lines(evidence.lines)]
    return tuple(sorted(told, key=lambda each: each.at))


def _of_facts(known: tuple[Fact, ...]) -> Iterator[Moment]:
    seen: set[str] = set()
    for fact in known:
        teller = _FACTS.get(type(fact))
        if teller is None:
            continue
        what, detail = teller(fact)
        if what not in seen:  # the first of a kind counts, as in `Progress`
            seen.add(what)
            yield Moment(moment(fact.at), what, plain(detail), _seconds(fact))


def _of_lines(lines: tuple[Line, ...]) -> Iterator[Moment]:
    seen: set[str] = set()
    for line in lines:
        teller = _EVENTS.get(line.name)
        if teller is None or (line.name in _ONCE and line.name in seen):
            continue
        seen.add(line.name)
        what, detail = teller(line.fields.get)
        yield Moment(moment(line.at), what, plain(detail), line.seconds)


def _seconds(fact: Fact) -> float | None:
    """A runner's own are no stage's: they count from before Prefect was there."""
    if not isinstance(fact, facts.ConfigFetched | facts.Registered) or fact.seconds < 0:
        return None
    return fact.seconds


def _began(fact: Any) -> tuple[str, str]:
    version = f"version {fact.agent_version}" if fact.agent_version else ""
    return "agent started", version


def _placed(fact: Any) -> tuple[str, str]:
    of = f", {size(fact.archive_bytes)}" if fact.archive_bytes else ""
    where = {"disk": "on the disk already", "cache": "from the S3 cache", "github": "from GitHub"}
    return "SHA-256 verified, runner in its place", f"{fact.version} {where.get(fact.source, fact.source)}{of}"  # fmt: skip


def _registered(fact: Any) -> tuple[str, str]:
    how = {
        "token": "with a registration token",
        "jit": "with a just-in-time config",
        "before": "by an earlier life of the agent",
    }
    return "runner registered at GitHub", how.get(fact.how, fact.how)


def _started(fact: Any) -> tuple[str, str]:
    after = fact.total_seconds
    return "run.sh started", f"{duration(after)} after the agent" if after >= 0 else ""


def _stop_asked(fact: Any) -> tuple[str, str]:
    grace = f"it has {duration(fact.grace_seconds)}" if fact.grace_seconds >= 0 else ""
    return "runner told to stop", "; ".join(filter(None, (fact.detail or fact.reason, grace)))


def _ended(fact: Any) -> tuple[str, str]:
    return "outcome known", fact.reason


def _flushed(fact: Any) -> tuple[str, str]:
    if fact.complete:
        return "log complete in CloudWatch", ""
    left = "" if fact.unsent_lines is None else f"{number(fact.unsent_lines)} lines are not there"
    return "log left in the spool", left


def _message(fact: Any) -> tuple[str, str]:
    if fact.status == Status.STARTED:
        return "started message queued in SQS", ""
    return "final message queued in SQS", fact.status


def _cleaned(fact: Any) -> tuple[str, str]:
    left = f"{number(fact.left)} files could not be removed" if fact.left else ""
    return "runner's files removed", left


def _terminated(fact: Any) -> tuple[str, str]:
    how = {
        "terminate_instances": "instance terminating",
        "power_off": "machine powered off",
        "dry_run": "dry run: the instance was not terminated",
    }
    known = how.get(fact.how)
    return known or "instance ended", "" if known else fact.how


_FACTS: dict[type[Fact], Callable[[Any], tuple[str, str]]] = {
    facts.RunBegan: _began,
    facts.ConfigFetched: lambda fact: ("runner config read from SSM", fact.repo),
    facts.RunnerPlaced: _placed,
    facts.Registered: _registered,
    facts.RunnerStarted: _started,
    facts.ParametersDeleted: lambda _: ("parameters deleted from SSM", ""),
    facts.StopAsked: _stop_asked,
    facts.JobSeen: lambda fact: ("job started", fact.name),
    facts.Ended: _ended,
    facts.RunnerGone: lambda _: ("no process of the runner left", ""),
    facts.LogsFlushed: _flushed,
    facts.MessageSent: _message,
    facts.MessageGivenUp: lambda fact: ("final message given up", fact.error),
    facts.CleanedUp: _cleaned,
    facts.TerminateCalled: _terminated,
}

_Fields = Callable[[str], str | None]


def _cache_filled(said: _Fields) -> tuple[str, str]:
    done = said("done") == "True"
    return ("S3 cache filled" if done else "S3 cache not filled"), ""


def _downloaded(said: _Fields) -> tuple[str, str]:
    count = said("bytes") or ""
    of = size(int(count)) if count.isascii() and count.isdecimal() else ""
    return "archive downloaded and unpacked", " ".join(filter(None, (of, f"from {said('source')}")))


_EVENTS: dict[str, Callable[[_Fields], tuple[str, str]]] = {
    "run.taken_up_again": lambda _: ("agent started again, and went on", ""),
    "runner.taken_over": lambda _: ("runner at work taken over", ""),
    "runner.downloaded": _downloaded,
    "runner.listening": lambda _: ("runner listens for jobs", ""),
    "cache.filled": _cache_filled,
    "instance.terminate": lambda _: ("about to call TerminateInstances", ""),
    "instance.not_terminated": lambda said: ("EC2 did not terminate it", said("error") or ""),
}
_ONCE = frozenset({"runner.listening", "cache.filled", "instance.terminate"})
