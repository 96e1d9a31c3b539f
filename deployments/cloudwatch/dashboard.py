"""One dashboard a fleet: how runs end, where boot time goes, what jobs use."""

import json
from typing import Any

from agent.outcome import EXPLAINED, Reason, Status
from deployments.cloudwatch.alarms import RUNS

WIDTH, HEIGHT = 12, 6
BOOT = ("BootSeconds", "ConfigSeconds", "RunnerSeconds", "RegisterSeconds", "BootstrapSeconds")
FAILURES = """SOURCE '{log_group}' | filter @logStream like /agent$/ and @message like /run.ended/
| parse @message "reason=* " as reason
| filter reason not in ["job_served"]
| stats count() as runs by reason
| sort runs desc"""


def body(namespace: str, region: str, log_group: str) -> str:
    """What PutDashboard takes as its body."""
    widgets = [
        _graph(
            "Runs by how they ended",
            [[namespace, RUNS, "Reason", str(reason)] for reason in _worth_a_line()],
            region,
            stat="SampleCount",
        ),
        _graph("Boot, p95", [[namespace, name] for name in BOOT], region, stat="p95"),
        _graph("Job, seconds", [[namespace, "JobSeconds"]], region, stat="p50"),
        _graph("Download, MB/s", [[namespace, "DownloadMegabytesPerSecond"]], region, stat="p50"),
        _graph(
            "Least free disk, MB", [[namespace, "MinDiskFreeMegabytes"]], region, stat="Minimum"
        ),
        _graph("Most memory, MB", [[namespace, "PeakMemoryMegabytes"]], region, stat="Maximum"),
        _graph(
            "Log: seconds behind, lines not sent",
            [[namespace, "LogLagSeconds"], [namespace, RUNS]],
            region,
            stat="Maximum",
        ),
        _failures(region, log_group),
    ]
    for number, widget in enumerate(widgets):
        column, row = number % 2, number // 2
        widget |= {"x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT}
    return json.dumps({"widgets": widgets})


def _worth_a_line() -> list[Reason]:
    """A served job, and whatever ends a run as something else than one."""
    return [
        reason
        for reason, each in EXPLAINED.items()
        if each.status is not Status.SUCCESS or reason is Reason.JOB_SERVED
    ]


def _graph(title: str, metrics: list[list[str]], region: str, *, stat: str) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "metrics": metrics,
            "region": region,
            "stat": stat,
            "period": 300,
            "view": "timeSeries",
        },
    }


def _failures(region: str, log_group: str) -> dict[str, Any]:
    return {
        "type": "log",
        "properties": {
            "title": "Runs that served no job, by reason",
            "query": FAILURES.format(log_group=log_group),
            "region": region,
            "view": "table",
        },
    }
