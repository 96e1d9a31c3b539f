"""One line of CloudWatch's embedded metric format a job: metrics without a call of their own.

CloudWatch Logs makes metrics of a log event that is such a JSON object (CloudWatch user guide, "Embedded metric format").
"""

import json
import logging
from typing import Any, NamedTuple

from agent.journal.progress import Progress
from agent.logs.agent_log import RAW
from agent.logs.shipper import Flushed
from agent.stages.context import RunContext
from agent.stages.record import outcome_of

log = logging.getLogger(__name__)


class Metric(NamedTuple):
    """What one of them counts."""

    unit: str
    """A unit that CloudWatch knows."""
    meaning: str


METRICS = {
    "BootSeconds": Metric("Seconds", "from the kernel's start to the agent's"),
    "ConfigSeconds": Metric("Seconds", "to read the runner config"),
    "RunnerSeconds": Metric("Seconds", "to have the runner in its place, checked"),
    "RegisterSeconds": Metric("Seconds", "to register it"),
    "BootstrapSeconds": Metric("Seconds", "from the agent's start to `run.sh`"),
    "JobSeconds": Metric("Seconds", "from `run.sh` to the job's outcome"),
    "DownloadMegabytesPerSecond": Metric(
        "Megabytes/Second", "of the archive, where one was downloaded"
    ),
    "PeakMemoryMegabytes": Metric("Megabytes", "the most that was in use"),
    "MinDiskFreeMegabytes": Metric("Megabytes", "the least that was free"),
    "OomKills": Metric("Count", "by the kernel, during the job"),
    "LogLagSeconds": Metric("Seconds", "the longest that a line waited until CloudWatch had it"),
    "LogLinesUnsent": Metric("Count", "that CloudWatch does not have"),
    "LogBytesDropped": Metric("Bytes", "that the spool's limit took before they were sent"),
}
"""One that is not known of a run is left out."""
DIMENSIONS: list[list[str]] = [[], ["Reason"], ["RunnerSource"]]
"""In all, and by one word each of few: every value of a dimension is a metric that is paid for."""


def say_metrics(run: RunContext, flushed: Flushed) -> None:
    """Writes the line into the agent's log; nothing where the setting turns it off."""
    namespace = run.settings.metrics_namespace
    if namespace:
        line = metrics_line(run, flushed, namespace)
        log.info("%s", json.dumps(line, separators=(",", ":")), extra={RAW: True})


def metrics_line(run: RunContext, flushed: Flushed, namespace: str) -> dict[str, Any]:
    """What the journal and the shipper know, rounded to milliseconds."""
    values = {name: value for name, value in _values(run, flushed).items() if value is not None}
    progress = run.progress
    return {
        "_aws": {
            "Timestamp": int(run.clock.utc().timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": DIMENSIONS,
                    "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in values],
                }
            ],
        },
        "Reason": outcome_of(progress).reason,
        "RunnerSource": progress.placed.source if progress.placed else "none",
        "InstanceId": run.instance_id,
        "RunId": progress.config.run_id if progress.config else "",
        "Repo": progress.config.repo if progress.config else "",
        **{name: round(value, 3) for name, value in values.items()},
    }


def _values(run: RunContext, flushed: Flushed) -> dict[str, float | None]:
    known = run.progress
    began, config, placed = known.began, known.config, known.placed
    registered, started, ended = known.registered, known.runner_started, known.ended
    return {
        "BootSeconds": began.boot_seconds if began else None,
        "ConfigSeconds": config.seconds if config else None,
        "RunnerSeconds": placed.seconds if placed else None,
        "RegisterSeconds": registered.seconds if registered else None,
        "BootstrapSeconds": started.total_seconds if started else None,
        "JobSeconds": _job_seconds(known),
        "DownloadMegabytesPerSecond": _download_speed(known),
        "PeakMemoryMegabytes": ended.peak_memory_mb if ended else None,
        "MinDiskFreeMegabytes": ended.min_disk_free_mb if ended else None,
        "OomKills": ended.oom_kills if ended else None,
        "LogLagSeconds": flushed.worst_lag_seconds,
        "LogLinesUnsent": flushed.unsent_lines,
        "LogBytesDropped": flushed.dropped_bytes,
    }


def _job_seconds(known: Progress) -> float | None:
    """From `run.sh` told to run until the outcome was known."""
    started, ended = known.runner_started, known.ended
    return ended.monotonic - started.monotonic if started and ended else None


def _download_speed(known: Progress) -> float | None:
    placed = known.placed
    if placed is None or not placed.archive_bytes or not placed.seconds:
        return None
    return placed.archive_bytes / 1_000_000 / placed.seconds
