"""Whether all is there that a test needs; changes nothing."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployments.live.account import Aws, Refused, Say
from deployments.live.github import Repository
from deployments.live.launch import Machine
from deployments.live.record import Record
from deployments.live.scenarios import workflow_of
from deployments.live.template import faults_of_template


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for; `wrong` is empty where it is well."""

    what: str
    wrong: str


def check(
    aws: Aws, repository: Repository, record: Record, machine: Machine, *, bucket: str, say: Say
) -> bool:
    """Prints what is well and what is not; false when something is not."""
    findings = [
        Finding(f"account {record.account}, region {record.region}", ""),
        _template(aws, machine),
        _there(aws, "bucket", "s3", "head_bucket", Bucket=bucket),
        *([_queue(aws, record)] if record.queue_url else []),
        _log_group(aws, record),
        _workflow(repository, workflow_of(record.scenario)),
    ]
    if aws.dry_run:
        return True
    for each in findings:
        say(f"{'✗' if each.wrong else '✓'} {each.what}{f': {each.wrong}' if each.wrong else ''}")
    return not any(each.wrong for each in findings)


def _template(aws: Aws, machine: Machine) -> Finding:
    what = f"launch template {machine.template} {machine.version}"
    try:
        wrong = faults_of_template(aws, machine.template, machine.version)
    except ClientError as exc:
        return Finding(what, str(exc))
    return Finding(what, "; ".join(wrong))


def _queue(aws: Aws, record: Record) -> Finding:
    url = record.queue_url
    return _there(aws, "queue", "sqs", "get_queue_attributes", QueueUrl=url)


def _there(aws: Aws, what: str, service: str, operation: str, **named: Any) -> Finding:
    told = f"{what} {' '.join(named.values())}"
    try:
        aws.call(service, operation, **named)
    except ClientError as exc:
        return Finding(told, str(exc))
    return Finding(told, "")


def _log_group(aws: Aws, record: Record) -> Finding:
    what, name = f"log group {record.log_group}", record.log_group
    assumed = {"logGroups": [{"logGroupName": name}]}
    try:
        found = aws.call("logs", "describe_log_groups", assumed=assumed, logGroupNamePrefix=name)
    except ClientError as exc:
        return Finding(what, str(exc))
    there = any(each["logGroupName"] == name for each in found["logGroups"])
    return Finding(what, "" if there else "is not there; `terraform apply` makes it")


def _workflow(repository: Repository, file: str) -> Finding:
    what = f"workflow {file} in {repository.name}"
    try:
        there = repository.has_workflow(file)
    except Refused as exc:
        return Finding(what, str(exc))
    mend = f"copy deployments/live/workflows/{file} to .github/workflows/ on the default branch"
    return Finding(what, "" if there else mend)
