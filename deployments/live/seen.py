"""What AWS and GitHub say of one test, each asked once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agent.clock import Clock, rfc3339
from agent.read_logs import Reader, Said
from deployments.live.account import Aws
from deployments.live.github import Repository
from deployments.live.record import TAG, Record

BATCHES = 20
"""Of ten messages each: more are not looked through at a time."""
TERMINATED = "terminated"
ALIVE = ("pending", "running", "shutting-down", "stopping", "stopped")
VISIBLE_AFTER = timedelta(minutes=10)
"""A fresh instance may not be listed yet; later, one that is not listed has been terminated for an hour."""


def with_instance(aws: Aws, record: Record) -> Record:
    """The record with the instance's id, by its tag where the launch was not answered; the same where there is none."""
    if record.instance_id:
        return record
    for states in (ALIVE, (TERMINATED,)):
        for instance_id in tagged_instances(aws, record.test_id, states):
            return replace(record, instance_id=instance_id)
    return record


def look_at_instance(aws: Aws, record: Record, clock: Clock) -> Record:
    """The record with the instance's state, where that is another than the last."""
    found = aws.call(
        "ec2",
        "describe_instances",
        assumed={"Reservations": []},
        Filters=[{"Name": "instance-id", "Values": [record.instance_id]}],
    )
    instances = [each for group in found["Reservations"] for each in group["Instances"]]
    if not instances and clock.utc() - datetime.fromisoformat(record.launched_at) < VISIBLE_AFTER:
        return record
    state = instances[0]["State"]["Name"] if instances else TERMINATED
    why = instances[0].get("StateReason", {}).get("Code", "") if instances else ""
    if not record.states or record.states[-1][1] != state:
        states = (*record.states, (rfc3339(clock.utc()), state))
        record = replace(record, states=states)
    return replace(record, state_reason=why or record.state_reason)


def look_at_github(repository: Repository, record: Record) -> Record:
    """The record with the runner's registration and the workflow's job, as far as they are there."""
    runner = repository.runner(record.runner)
    status = runner["status"] if runner else record.runner_status
    return replace(
        record, runner_status=status, job=repository.job_for(record.runner) or record.job
    )


def take_messages(aws: Aws, record: Record) -> Record:
    """The record with its instance's messages, which are taken out of the queue; others' are put back at once.

    Only where nobody else reads the queue.
    """
    if not record.own_queue:
        return record
    kept = list(record.messages)
    own = {"ReceiptHandle": "…", "Body": json.dumps({"instance_id": record.instance_id})}
    for _ in range(1 if aws.dry_run else BATCHES):
        answer = aws.call(
            "sqs",
            "receive_message",
            assumed={"Messages": [own]},
            QueueUrl=record.queue_url,
            MaxNumberOfMessages=10,
        )
        ours = [body for each in answer.get("Messages", []) if (body := _take(aws, record, each))]
        if not ours:
            break
        # A standard queue may give one twice.
        kept += [body for body in ours if body not in kept]
    return replace(record, messages=tuple(kept))


def streams(aws: Aws, record: Record, clock: Clock) -> tuple[Reader, Reader]:
    """Readers of what the agent said before it knew its config, and of the run."""
    logs = aws.client("logs")
    boot = Reader(logs, record.log_group, f"boot/{record.instance_id}", clock=clock)
    return boot, Reader(logs, record.log_group, record.run_id, clock=clock)


def said(readers: tuple[Reader, Reader]) -> Iterator[Said]:
    """Everything that is there and was not given before, the boot first."""
    for reader in readers:
        yield from reader.so_far()


def tagged_instances(aws: Aws, test_id: str, states: tuple[str, ...]) -> list[str]:
    """The ids of the test's instances that are in one of the states."""
    filters = [
        {"Name": f"tag:{TAG}", "Values": [test_id]},
        {"Name": "instance-state-name", "Values": list(states)},
    ]
    found = aws.call("ec2", "describe_instances", assumed={"Reservations": []}, Filters=filters)
    return [each["InstanceId"] for group in found["Reservations"] for each in group["Instances"]]


def _take(aws: Aws, record: Record, message: dict[str, Any]) -> dict[str, Any] | None:
    handle = {"QueueUrl": record.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
    body = _decoded(message["Body"])
    if body.get("instance_id") != record.instance_id:
        aws.call("sqs", "change_message_visibility", VisibilityTimeout=0, **handle)
        return None
    aws.call("sqs", "delete_message", **handle)
    return body


def _decoded(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
