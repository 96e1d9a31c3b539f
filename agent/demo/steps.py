"""What the agent's lines mean to a person who watches: one step for each that matters, and what is waited for next."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.outcome import Reason

Fields = Mapping[str, str]
MB = 1_000_000
_EVENT = re.compile(r"^\S+Z (?P<level>[A-Z]+) \S+ (?P<name>[a-z_]+\.[A-Za-z_]+)(?P<fields>.*)$")
_FIELD = re.compile(r' ([a-z_A-Z0-9]+)=("(?:[^"\\]|\\.)*"|\S*)')
_SOURCES = {"github": "GitHub", "cache": "the S3 cache"}
_HOW = {"token": "with a registration token", "jit": "with a just-in-time config"}
FIRST = "the agent starts"
_WARNINGS = {
    "watch.stop": "the job is told to stop",
    "cache.skipped": "the S3 cache is skipped",
    "runner.digest_mismatch": "an archive with another SHA-256",
    "runner.killed": "the runner is killed",
    "memory.low": "little memory is left",
    "task.tried_again": "tried again",
    "end.tried_again": "tried again",
}
"""Of the warnings that a scenario brings about; any other goes by its own name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Attributes:
        seconds: since the agent was started.
        event: the agent's own name for it.
        what: in a few words.
        detail: what of it is worth knowing at a glance; may be empty.
        warning: a person should look at it.
        then: what is waited for now; empty where that has not changed.
    """

    seconds: float
    event: str
    what: str
    detail: str = ""
    warning: bool = False
    then: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """How far it has come, in bytes."""

    done: int
    of: int


@dataclass(frozen=True, slots=True)
class _Kind:
    what: str
    then: str = ""
    detail: Callable[[Fields], str] = lambda _: ""


def _downloaded(fields: Fields) -> str:
    size = fields.get("bytes", "")
    weight = f", {int(size) / MB:.1f} MB" if size.isdecimal() else ""
    source = fields.get("source", "")
    return f"{fields.get('version', '')} from {_SOURCES.get(source, source)}{weight}"


_KINDS = {
    "run.began": _Kind(
        "agent started",
        "Prefect starts (10 to 20 s here, it makes its database)",
        lambda f: f.get("instance_id", ""),
    ),
    "config.fetched": _Kind(
        "runner config read from SSM",
        "the runner is downloaded, verified and registered",
        lambda f: f"{f.get('repo', '')}, run {f.get('run_id', '')}",
    ),
    "runner.on_disk": _Kind("runner is on the disk already", detail=lambda f: f.get("version", "")),
    "runner.downloaded": _Kind("runner downloaded, unpacked", detail=_downloaded),
    "runner.verified": _Kind(
        "SHA-256 verified",
        "config.sh registers the runner at GitHub",
        lambda f: f"{f.get('sha256', '')[:16]}…",
    ),
    "runner.registered": _Kind(
        "runner registered at GitHub", "run.sh starts", lambda f: _HOW.get(f.get("how", ""), "")
    ),
    "runner.started": _Kind(
        "run.sh started",
        "the runner connects to GitHub",
        lambda f: f"pid {f.get('pid', '')}, user {f.get('user', '')}",
    ),
    "runner.listening": _Kind("runner listens for jobs", "GitHub gives it a job"),
    "job.started": _Kind("job started", "the job runs", lambda f: f.get("name", "")),
    "run.ended": _Kind("", "the end: logs, message, files, terminate call"),
    "logs.shipped": _Kind("log complete in CloudWatch"),
    "clean_up.complete": _Kind("runner's files removed"),
    "instance.terminating": _Kind(
        "instance terminating",
        "the agent's processes end",
        lambda f: f.get("instance_id", ""),
    ),
}


def heard(line: str, seconds: float) -> Step | Download | None:
    """What a line of the agent's says; None for what a first look need not know."""
    match = _EVENT.match(line)
    if match is None:
        return None
    name, fields = match["name"], _fields(match["fields"])
    if special := _SPECIAL.get(name):
        return special(fields, seconds)
    if kind := _KINDS.get(name):
        return Step(seconds, name, kind.what, kind.detail(fields), then=kind.then)
    warns = match["level"] == "WARNING"
    what = _WARNINGS.get(name, name)
    return Step(seconds, name, what, _told(fields), warning=True) if warns else None


def _fields(text: str) -> dict[str, str]:
    return {name: _plain(value) for name, value in _FIELD.findall(text)}


def _plain(value: str) -> str:
    try:
        return str(json.loads(value)) if value.startswith('"') else value
    except ValueError:
        return value


def _progress(fields: Fields, _seconds: float) -> Download | None:
    done, of = fields.get("bytes", ""), fields.get("of", "")
    return Download(int(done), int(of)) if done.isdecimal() and of.isdecimal() else None


def _message(fields: Fields, seconds: float) -> Step:
    status = fields.get("status", "")
    final = "" if status == "started" else "final "
    return Step(seconds, "message.sent", f"{final}message `{status}` in SQS")


def _ended(fields: Fields, seconds: float) -> Step:
    served = fields.get("reason") == Reason.JOB_SERVED
    what, detail = ("job over", "job_result") if served else ("run over", "reason")
    then = _KINDS["run.ended"].then
    return Step(seconds, "run.ended", what, fields.get(detail, ""), not served, then)


def _told(fields: Fields) -> str:
    """A warning's own sentence where it has one, else its fields."""
    said = next((fields[name] for name in ("detail", "error", "why") if fields.get(name)), "")
    mend = fields.get("mend", "")
    whole = "; ".join(part for part in (said, mend) if part)
    return whole or " ".join(f"{name}={value}" for name, value in fields.items())


_SPECIAL: dict[str, Callable[[Fields, float], Step | Download | None]] = {
    "runner.downloading": _progress,
    "message.sent": _message,
    "run.ended": _ended,
}
