"""What took time, from when until when, and what ran beside what."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from agent.journal.facts import Fact
from agent.journal.progress import Progress
from agent.report.lines import Line
from agent.report.plain import moment
from agent.report.story import Span

LONGEST_BOOT_SECONDS = 600.0
"""A machine that was up longer before the agent came (a warm spare, a laptop) was not booted for this run."""


def spans(known: Progress, lines: tuple[Line, ...], last: datetime) -> tuple[Span, ...]:
    """By lane, in the order of a run.

    Args:
        known: the facts.
        lines: the agent's.
        last: the last moment that is known; what has no end goes on until then.
    """
    return (*_boot(known, lines), *_beside(known, lines), *_runner(known, last), *_end(known))


def _boot(known: Progress, lines: tuple[Line, ...]) -> Iterator[Span]:
    began, config, registered = known.began, known.config, known.registered
    if began is not None:
        at = moment(began.at)
        if 0 < began.boot_seconds <= LONGEST_BOOT_SECONDS:
            yield _until(
                at, began.boot_seconds, "machine", "from the kernel's start to the agent's", "boot"
            )
        if config is not None and config.seconds >= 0:
            looked = moment(config.at) - timedelta(seconds=config.seconds)
            yield _ordered("agent", "starting, with Prefect", at, looked, "boot")
    if config is not None:
        yield _until(
            moment(config.at), config.seconds, "config", "reading the runner config", "stage"
        )
    for line in lines:
        if line.name == "runner.downloaded" and line.seconds is not None:
            yield _until(
                moment(line.at),
                line.seconds,
                "download",
                "downloading and unpacking the runner",
                "stage",
            )
    if registered is not None:
        yield _until(
            moment(registered.at), registered.seconds, "register", "registering the runner", "stage"
        )


def _beside(known: Progress, lines: tuple[Line, ...]) -> Iterator[Span]:
    """What nobody waited for."""
    filled = next((line for line in lines if line.name == "cache.filled"), None)
    if filled is not None and known.placed is not None:
        yield _between("cache", "filling the S3 cache", known.placed.at, filled.at, "beside")
    started = known.runner_started
    if started is not None:
        for fact, lane, what in (
            (known.started_message, "message", "telling SQS that it started"),
            (known.parameters_deleted, "parameters", "deleting the parameters from SSM"),
        ):
            if fact is not None:
                yield _between(lane, what, started.at, fact.at, "beside")


def _runner(known: Progress, last: datetime) -> Iterator[Span]:
    started = known.runner_started
    if started is None:
        return
    over = next((moment(f.at) for f in (known.runner_gone, known.ended) if f is not None), last)
    seen = known.job_seen
    until = moment(seen.at) if seen else over
    yield _ordered("job", "the runner waits for its job", moment(started.at), until, "wait")
    if seen is not None:
        yield _ordered("job", "the job runs", moment(seen.at), over, "job")
    if known.stop_asked is not None:
        yield _ordered(
            "stop", "from the stop to its end", moment(known.stop_asked.at), over, "stop"
        )


def _end(known: Progress) -> Iterator[Span]:
    """One after the other, in the contract's order."""
    if known.ended is None:
        return
    before: Fact = known.ended
    for fact, lane, what in (
        (known.logs_flushed, "logs", "the last lines on their way to CloudWatch"),
        (known.final_message or known.given_up, "final message", "the final message on its way"),
        (known.cleaned_up, "clean-up", "removing the runner's files"),
        (known.terminated, "terminate", "the agent's last lines, then TerminateInstances"),
    ):
        if fact is not None:
            yield _between(lane, what, before.at, fact.at, "end")
            before = fact


def _between(lane: str, what: str, began: str, ended: str, kind: str) -> Span:
    return _ordered(lane, what, moment(began), moment(ended), kind)


def _until(at: datetime, seconds: float, lane: str, what: str, kind: str) -> Span:
    """What ended then, and took so long."""
    return Span(lane, what, at - timedelta(seconds=max(0.0, seconds)), at, kind)


def _ordered(lane: str, what: str, began: datetime, ended: datetime, kind: str) -> Span:
    """A wall clock may have jumped in between."""
    return Span(lane, what, began, max(began, ended), kind)
