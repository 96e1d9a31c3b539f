"""The boot's phases, and the sizes and peaks of a run, as far as they are known."""

from collections.abc import Iterator

from agent.journal.facts import Ended, LogsFlushed, RunnerPlaced
from agent.journal.progress import Progress
from agent.report.evidence import Evidence
from agent.report.plain import duration, number, plain, size
from agent.report.spans import LONGEST_BOOT_SECONDS
from agent.report.story import Figure, Phase


def phases(known: Progress) -> tuple[Phase, ...]:
    """The parts of the boot that are known, in order."""
    began, started = known.began, known.runner_started
    boot = began.boot_seconds if began else -1.0
    measured = (
        ("boot", boot if 0 < boot <= LONGEST_BOOT_SECONDS else -1.0, "from the kernel's start to the agent's"),
        ("config", known.config.seconds if known.config else -1.0, "until the runner config was read, from the flow's first look on"),
        ("runner", known.placed.seconds if known.placed else -1.0, "until the runner was in its place, checked"),
        ("register", known.registered.seconds if known.registered else -1.0, "until GitHub knew the runner"),
        ("in all", started.total_seconds if started else -1.0, "from the agent's start to run.sh"),
    )  # fmt: skip
    return tuple(
        Phase(what, seconds, meaning) for what, seconds, meaning in measured if seconds >= 0
    )


def figures(known: Progress, evidence: Evidence) -> Iterator[Figure]:
    """In the order in which a run comes to them."""
    if known.placed is not None:
        yield from _of_archive(known.placed, evidence)
    if known.logs_flushed is not None:
        yield from _of_log(known.logs_flushed)
    if (lag := evidence.metrics.get("LogLagSeconds")) is not None:
        yield Figure("longest that a line waited for CloudWatch", duration(max(0.0, lag)))
    if known.ended is not None:
        yield from _of_machine(known.ended)


def _of_archive(placed: RunnerPlaced, evidence: Evidence) -> Iterator[Figure]:
    if placed.archive_bytes:
        yield Figure("archive", size(placed.archive_bytes))
    for line in evidence.lines:
        seconds = line.seconds
        if line.name == "runner.downloaded" and seconds and placed.archive_bytes:
            yield Figure(
                "downloaded and unpacked, a second", size(round(placed.archive_bytes / seconds))
            )
            return


def _of_log(flushed: LogsFlushed) -> Iterator[Figure]:
    for what, count, written in (
        ("log lines of the runner", flushed.runner_lines, number),
        ("log bytes of the runner", flushed.runner_bytes, size),
        ("log lines not in CloudWatch", flushed.unsent_lines, number),
        ("log bytes dropped by the spool's limit", flushed.dropped_bytes, size),
    ):
        if count is not None:
            yield Figure(what, written(count))
    if flushed.upload not in ("", "disabled"):
        yield Figure("`_diag` in S3", plain(flushed.upload))


def _of_machine(ended: Ended) -> Iterator[Figure]:
    for what, value, unit in (
        ("most memory in use", ended.peak_memory_mb, " MB"),
        ("least disk free", ended.min_disk_free_mb, " MB"),
        ("kills by the kernel, out of memory", ended.oom_kills, ""),
    ):
        if value is not None:
            yield Figure(what, f"{number(value)}{unit}")
