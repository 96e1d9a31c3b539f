"""One line of CloudWatch's embedded metric format a job: metrics without a call of their own.

CloudWatch Logs makes metrics of a log event that is such a JSON object (CloudWatch user guide, "Embedded metric format").
"""

import json
import logging
from typing import Any

from agent.journal.progress import Progress
from agent.logs.agent_log import RAW
from agent.logs.shipper import Flushed
from agent.stages.context import RunContext
from agent.stages.record import outcome_of

log = logging.getLogger(__name__)

UNITS = {
    "BootSeconds": "Seconds",
    "ConfigSeconds": "Seconds",
    "RunnerSeconds": "Seconds",
    "RegisterSeconds": "Seconds",
    "BootstrapSeconds": "Seconds",
    "JobSeconds": "Seconds",
    "DownloadMegabytesPerSecond": "Megabytes/Second",
    "PeakMemoryMegabytes": "Megabytes",
    "MinDiskFreeMegabytes": "Megabytes",
    "OomKills": "Count",
    "LogLagSeconds": "Seconds",
    "LogLinesUnsent": "Count",
}
"""Each metric and its unit; one that is not known of a run is left out."""
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
                    "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
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
