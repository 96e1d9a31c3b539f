"""When somebody has to look: alarms on what the agents count themselves (docs/logs.md, Metrics)."""

from dataclasses import dataclass
from typing import Any

from agent.outcome import Reason

RUNS = "LogLinesUnsent"
"""Every run that ends says it once, by its reason: the number of its samples is the number of runs."""
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Alarm:
    """One metric over one period.

    Attributes:
        name: after `{namespace}-`.
        why: what it means and what to do, for whoever is woken.
        metric: one of `agent.stages.metrics.METRICS`.
        statistic: CloudWatch's word, or a percentile such as `p95`.
        above: rings over it.
        periods: of an hour each, in a row.
        reason: only of runs that ended so; None for all.
    """

    name: str
    why: str
    metric: str
    statistic: str
    above: float
    periods: int = 1
    reason: Reason | None = None

    def as_call(self, namespace: str, topics: tuple[str, ...]) -> dict[str, Any]:
        """What PutMetricAlarm takes."""
        statistic = "ExtendedStatistic" if self.statistic.startswith("p") else "Statistic"
        dimensions = [{"Name": "Reason", "Value": str(self.reason)}] if self.reason else []
        return {
            "AlarmName": f"{namespace}-{self.name}",
            "AlarmDescription": self.why,
            "Namespace": namespace,
            "MetricName": self.metric,
            "Dimensions": dimensions,
            statistic: self.statistic,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": self.above,
            "Period": HOUR,
            "EvaluationPeriods": self.periods,
            # No run in an hour is no fault.
            "TreatMissingData": "notBreaching",
            "AlarmActions": list(topics),
        }


def _any_run(reason: Reason, why: str) -> Alarm:
    name = str(reason).replace("_", "-")
    return Alarm(name, why, RUNS, "SampleCount", 0, reason=reason)


ALARMS = (
    _any_run(
        Reason.DIGEST_MISMATCH,
        "An archive was not GitHub's, from either source; nothing of it ran. Take it for an attack: who may write to the bucket, what proxy is in between?",
    ),
    _any_run(
        Reason.AGENT_CRASHED,
        "An agent failed; the instance was ended. The stack trace is at the end of its agent stream.",
    ),
    _any_run(
        Reason.AWS_REFUSED,
        "AWS refused an agent a call: the policy, a queue or a key was changed. The agent stream names call and resource.",
    ),
    _any_run(
        Reason.RUNNER_DEPRECATED,
        "GitHub gives this runner version no jobs: set RUNS_FLEET_RUNNER_VERSION to a newer one and bake the images anew.",
    ),
    _any_run(
        Reason.TOKEN_EXPIRED,
        "Registration tokens were older than an hour when their instances came up: the orchestrator mints too early, or boots take too long.",
    ),
    Alarm(
        "boots-are-slow",
        "Three hours in a row one boot in twenty took over 30 s to run.sh: look at RunnerSeconds by RunnerSource. Is the cache used, is the image fresh?",
        "BootstrapSeconds",
        "p95",
        30,
        periods=3,
    ),
    Alarm(
        "log-lines-unsent",
        "An instance ended before CloudWatch had taken its whole log: throttled, or no way to it. The final message says how many lines.",
        RUNS,
        "Sum",
        0,
    ),
    Alarm(
        "memory-ran-out",
        "The kernel killed processes of jobs for want of memory, more than five in an hour: larger instances, or fewer jobs side by side.",
        "OomKills",
        "Sum",
        5,
    ),
)
