"""`deployments/cloudwatch/put`: the dashboard and the alarms of a fleet, made or brought up to date."""

import argparse
import sys
from collections.abc import Sequence

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agent.settings import Settings
from deployments.cloudwatch.alarms import ALARMS
from deployments.cloudwatch.dashboard import body

PATIENCE = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


def main(arguments: Sequence[str]) -> int:
    """Puts them; 1 when CloudWatch refused. What was put goes to stdout."""
    fields = Settings.model_fields
    parser = argparse.ArgumentParser("deployments/cloudwatch/put", description=__doc__)
    parser.add_argument("--region", required=True, help="where the fleet is")
    parser.add_argument("--namespace", default=fields["metrics_namespace"].default)
    parser.add_argument("--log-group", default=fields["log_group"].default)
    parser.add_argument("--topic", action="append", default=[], metavar="ARN", help="SNS topic to tell; may be given again")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what would be put")
    given = parser.parse_args(arguments)
    client = boto3.client("cloudwatch", region_name=given.region, config=PATIENCE)
    try:
        if not given.dry_run:
            client.put_dashboard(
                DashboardName=given.namespace,
                DashboardBody=body(given.namespace, given.region, given.log_group),
            )
        print(f"dashboard {given.namespace}")
        for alarm in ALARMS:
            call = alarm.as_call(given.namespace, tuple(given.topic))
            if not given.dry_run:
                client.put_metric_alarm(**call)
            print(f"alarm {call['AlarmName']}")
    except (ClientError, BotoCoreError) as exc:
        said = " ".join(str(exc).split())
        sys.stderr.write(f"put: {said}; it takes cloudwatch:PutDashboard and PutMetricAlarm\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
