"""The validations of the checklist, C-8.1 to C-8.14, each looked at on one test."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agent.outcome import Reason, Status
from deployments.live.account import Say
from deployments.live.evidence import Evidence
from deployments.live.scenarios import SCENARIOS
from deployments.live.seen import TERMINATED

DAY = timedelta(hours=24)
BY_ITSELF = ("Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown", "")
"""EC2's codes for a terminate call and for a power-off from inside; an emulator may know none."""


class Verdict(StrEnum):
    HELD = "held"
    BROKEN = "BROKEN"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Row:
    """One validation on one test."""

    item: str
    what: str
    verdict: Verdict
    seen: str


Check = Callable[[Evidence], tuple[bool | None, str]]
"""Whether it held, None where this test cannot show it; and what was seen, or what to do to see it."""


def verify(evidence: Evidence, say: Say) -> bool:
    """Prints the table; false when something is broken."""
    rows = look(evidence)
    for row in rows:
        say(f"{row.item:<7} {row.verdict:<9} {row.what:<42} {row.seen}")
    return all(row.verdict is not Verdict.BROKEN for row in rows)


def look(evidence: Evidence) -> list[Row]:
    """One row an item, in order."""
    rows = []
    for number, (what, check) in enumerate(CHECKS, start=1):
        held, seen = check(evidence)
        verdict = {True: Verdict.HELD, False: Verdict.BROKEN, None: Verdict.NOT_SEEN}[held]
        rows.append(Row(f"C-8.{number}", what, verdict, seen))
    return rows


def _downloads(seen: Evidence) -> tuple[bool | None, str]:
    source = seen.field("runner.downloaded", "source") or "the disk"
    version = seen.field("runner.verified", "version") or seen.field("runner.on_disk", "version")
    troubles = seen.events("download.goes_on") + seen.events("github.rate_limited")
    return bool(version) and not troubles, f"{version or 'no runner'} from {source}"


def _registers(seen: Evidence) -> tuple[bool | None, str]:
    job = seen.record.job
    listed = seen.record.runner_status or (
        "ran the job" if job and job.runner_name == seen.record.runner else "never listed"
    )
    return bool(seen.events("runner.registered")) and listed != "never listed", f"GitHub: {listed}"


def _completes(scenario: str) -> Check:
    def check(seen: Evidence) -> tuple[bool | None, str]:
        if seen.record.scenario != scenario:
            return _in(scenario)
        result = seen.field("run.ended", "job_result")
        job = seen.record.job
        on_github = job.conclusion or job.status if job else "not dispatched from here"
        green = job is None or job.conclusion == "success"
        return result == "succeeded" and green, f"agent: {result}, GitHub: {on_github}"

    return check


def _terminates_itself(seen: Evidence) -> tuple[bool | None, str]:
    if seen.record.scenario == "sigterm":
        return None, "somebody else ended this one"
    asked = bool(seen.events("instance.terminate"))
    why = seen.record.state_reason
    return asked and why in BY_ITSELF, f"{'asked EC2' if asked else 'did not ask EC2'} {why}".strip()  # fmt: skip


def _terminated(seen: Evidence) -> tuple[bool | None, str]:
    states = " → ".join(state for _, state in seen.record.states) or "never looked at"
    return bool(seen.record.states) and seen.record.states[-1][1] == TERMINATED, states


def _logs(seen: Evidence) -> tuple[bool | None, str]:
    unsent, dropped = seen.metric("LogLinesUnsent"), seen.metric("LogBytesDropped")
    listened = seen.runner_said("Listening for Jobs")
    ended = seen.runner_said("completed with result") or not seen.scenario.green
    counted = f"{len(seen.runner)} lines, {_count(unsent)} unsent, {_count(dropped)} bytes dropped"
    return listened and ended and unsent == 0 and dropped == 0, counted


def _messages(seen: Evidence) -> tuple[bool | None, str]:
    if not seen.record.own_queue:
        return None, "the queue is somebody else's; launch with --own-queue"
    got = [str(message.get("status")) for message in seen.record.messages]
    wanted = [Status.STARTED.value, seen.scenario.status]
    # A standard queue keeps no order.
    return sorted(got) == sorted(wanted), ", ".join(got) or "none"


def _graceful(seen: Evidence) -> tuple[bool | None, str]:
    if seen.record.scenario != "sigterm":
        return _in("sigterm")
    killed = seen.events("runner.killed")
    right = _reason(seen) == Reason.STOP_SIGNAL and bool(seen.events("runner.stopping"))
    return right and not killed, f"{_reason(seen)}, {'killed' if killed else 'not killed'}"


def _ends_with(scenario: str) -> Check:
    def check(seen: Evidence) -> tuple[bool | None, str]:
        if seen.record.scenario != scenario:
            return _in(scenario)
        return _reason(seen) == SCENARIOS[scenario].reason, _reason(seen)

    return check


def _memory(seen: Evidence) -> tuple[bool | None, str]:
    warned = seen.events("memory.low")
    return not warned and bool(seen.agent), f"{len(warned)} warnings"


def _crash(seen: Evidence) -> tuple[bool | None, str]:
    if seen.record.scenario != "crash":
        return _in("crash")
    again = len(seen.events("run.taken_up_again"))
    held = again > 0 and _reason(seen) == Reason.JOB_SERVED and bool(_terminated(seen)[0])
    return held, f"taken up again {again} times, {_reason(seen)}"


def _no_zombie(seen: Evidence) -> tuple[bool | None, str]:
    record = seen.record
    if record.left is None:
        return None, "`live leftovers` 24 h after the launch"
    age = datetime.fromisoformat(record.looked_again_at) - datetime.fromisoformat(record.launched_at)  # fmt: skip
    told = f"{record.left} left after {age.total_seconds() / 3600:.1f} h"
    return (None if age < DAY and record.left == 0 else record.left == 0), told


def _reason(seen: Evidence) -> str:
    return seen.field("run.ended", "reason") or "no end was logged"


def _count(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _in(scenario: str) -> tuple[None, str]:
    return None, f"`live launch --scenario {scenario}`"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("downloads without errors", _downloads),
    ("registers: the runner appears", _registers),
    ("a simple workflow completes", _completes("simple")),
    ("a complex workflow completes", _completes("complex")),
    ("terminates itself after the job", _terminates_itself),
    ("the instance's state becomes terminated", _terminated),
    ("the logs hold the complete runner output", _logs),
    ("the notification is in the queue", _messages),
    ("SIGTERM is graceful", _graceful),
    ("max runtime forces the end", _ends_with("max-runtime")),
    ("disk monitoring ends a job that fills it", _ends_with("disk-full")),
    ("memory monitoring gives no false alarm", _memory),
    ("a crash of the agent still terminates", _crash),
    ("no zombie after 24 h", _no_zombie),
)
