"""The journal's facts as the agent's log lines tell them: what is left of a run when its instance is gone."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.journal import facts
from agent.journal.facts import Fact
from agent.outcome import Status
from agent.report.lines import Line

NOT_SAID = -1.0
"""Seconds that a line of an older agent does not tell."""
_WHOLE = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,9})?")


def facts_said(lines: Iterable[Line]) -> tuple[Fact, ...]:
    """In the order of the lines; what a line does not say is as in a journal that does not know it."""
    return tuple(fact for line in lines for fact in _facts(line))


def _facts(line: Line) -> Iterator[Fact]:
    told = _TOLD.get(line.name)
    if told is not None and (fact := told(line.at, _Fields(line.fields))) is not None:
        yield fact


class _Fields:
    """What a line says, by type."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        return self._fields.get(name, "")

    def whole(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if _WHOLE.fullmatch(text) else None

    def seconds(self, name: str) -> float:
        """Negative where it is not said."""
        text = self.text(name)
        return float(text) if _NUMBER.fullmatch(text) else NOT_SAID


def _run_began(at: str, said: _Fields) -> Fact:
    return facts.RunBegan(
        at,
        instance_id=said.text("instance_id"),
        region=said.text("region"),
        boot_id="",
        agent_version=said.text("agent_version"),
        boot_seconds=said.seconds("boot_seconds"),
    )


def _instance_known(at: str, said: _Fields) -> Fact:
    return facts.InstanceKnown(
        at,
        account_id=said.text("account_id"),
        instance_type=said.text("instance_type"),
        zone=said.text("zone"),
    )


def _config_fetched(at: str, said: _Fields) -> Fact:
    return facts.ConfigFetched(
        at,
        run_id=said.text("run_id"),
        job_id=said.text("job_id"),
        repo=said.text("repo"),
        runner_name=said.text("runner_name"),
        queue_url="",
        seconds=said.seconds("seconds"),
    )


def _runner_placed(at: str, said: _Fields) -> Fact:
    return facts.RunnerPlaced(
        at,
        version=said.text("version"),
        sha256=said.text("sha256"),
        source=said.text("source"),
        seconds=said.seconds("seconds"),
        archive_bytes=said.whole("bytes") or 0,
    )


def _registered(at: str, said: _Fields) -> Fact:
    return facts.Registered(at, how=said.text("how"), seconds=said.seconds("seconds"))


def _runner_started(at: str, said: _Fields) -> Fact:
    return facts.RunnerStarted(
        at, pid=said.whole("pid") or 0, start_ticks=0, total_seconds=said.seconds("seconds")
    )


def _stop_asked(at: str, said: _Fields) -> Fact:
    return facts.StopAsked(
        at,
        reason=said.text("reason"),
        detail=said.text("detail"),
        monotonic=0.0,
        grace_seconds=said.seconds("grace_seconds"),
    )


def _ended(at: str, said: _Fields) -> Fact:
    code = said.whole("exit_code")
    return facts.Ended(
        at,
        reason=said.text("reason"),
        detail=said.text("detail"),
        mend=said.text("mend"),
        job_result=said.text("job_result"),
        job_name=said.text("job_name"),
        exit_code=-1 if code is None else code,
        peak_memory_mb=said.whole("peak_memory_mb"),
        min_disk_free_mb=said.whole("min_disk_free_mb"),
        oom_kills=said.whole("oom_kills"),
    )


def _logs_flushed(at: str, said: _Fields, *, complete: bool) -> Fact:
    return facts.LogsFlushed(
        at,
        complete=complete,
        upload=said.text("upload"),
        runner_lines=said.whole("runner_lines"),
        runner_bytes=said.whole("runner_bytes"),
        unsent_lines=0 if complete else said.whole("lines"),
        dropped_bytes=said.whole("dropped_bytes"),
    )


def _no_queue(at: str, said: _Fields) -> Fact | None:
    """The `started` message is not owed."""
    if said.text("status") == Status.STARTED:
        return None
    return facts.MessageGivenUp(at, error="no queue is known")


_TOLD: dict[str, Callable[[str, _Fields], Fact | None]] = {
    "run.began": _run_began,
    "instance.known": _instance_known,
    "config.fetched": _config_fetched,
    "config.unusable": _config_fetched,
    "runner.verified": _runner_placed,
    "runner.registered": _registered,
    "runner.started": _runner_started,
    "runner.taken_over": _runner_started,
    "config.deleted": lambda at, _: facts.ParametersDeleted(at),
    "job.started": lambda at, said: facts.JobSeen(at, name=said.text("name")),
    "runner.stopping": _stop_asked,
    "run.ended": _ended,
    "runner.gone": lambda at, _: facts.RunnerGone(at),
    "logs.shipped": lambda at, said: _logs_flushed(at, said, complete=True),
    "logs.left_in_the_spool": lambda at, said: _logs_flushed(at, said, complete=False),
    "message.sent": lambda at, said: facts.MessageSent(
        at, status=said.text("status"), message_id=said.text("message_id")
    ),
    "message.no_queue": _no_queue,
    "message.not_sent": lambda at, said: facts.MessageGivenUp(at, error=said.text("error")),
    "clean_up.complete": lambda at, said: facts.CleanedUp(at, left=said.whole("left") or 0),
    "instance.terminating": lambda at, _: facts.TerminateCalled(at, how="terminate_instances"),
    "instance.DRY_RUN_NOT_TERMINATED": lambda at, _: facts.TerminateCalled(at, how="dry_run"),
}
"""By event: what it says has happened. `instance.terminate` is none of them: it says that the call is going to be made."""
