"""Takes away what a test made, and looks for what is left; what does not carry the test's tag is never touched."""

from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from agent.clock import Clock, rfc3339
from deployments.live.account import Aws, Say
from deployments.live.github import Repository
from deployments.live.record import TAG, Record, Records
from deployments.live.seen import ALIVE, tagged_instances, take_messages

TO_END = ("pending", "running", "stopping", "stopped")
WAITING = ("open", "active")


def interrupt(aws: Aws, record: Record, say: Say) -> None:
    """Ends the test's instance from outside, as a person or a reclaim does: systemd sends SIGTERM to the agent."""
    terminate(aws, record, say)


def tear_down(
    aws: Aws, repository: Repository, records: Records, record: Record, *, keep_logs: bool, say: Say
) -> None:
    """Instance, parameters, messages, streams and registration; any number of times."""
    terminate(aws, record, say)
    for name in record.parameters:
        delete_parameter(aws, name)
    record = take_messages(aws, record)
    if not keep_logs:
        for stream in _streams(aws, record):
            group = {"logGroupName": record.log_group, "logStreamName": stream}
            _unless_gone(aws, "logs", "delete_log_stream", **group)
    runner = repository.runner(record.runner)
    if runner is not None:
        repository.remove_runner(runner["id"])
    if not aws.dry_run:
        records.save(record)
        say("torn down; 24 h after the launch `live leftovers` looks again")


def leftovers(
    aws: Aws, repository: Repository, records: Records, record: Record, *, clock: Clock, say: Say
) -> bool:
    """Prints what is left of a test, one line each; false when there is something."""
    found = [
        *(f"instance {each}" for each in tagged_instances(aws, record.test_id, ALIVE)),
        *_tagged(aws, record, "describe_volumes", "Volumes", "VolumeId"),
        *_tagged(aws, record, "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        *_spot_requests(aws, record),
        *_parameters(aws, record),
    ]  # fmt: skip
    runner = repository.runner(record.runner)
    if runner is not None:
        found.append(f"runner {runner['name']} ({runner['status']}) in {record.repo}")
    if aws.dry_run:
        return True
    for each in found:
        say(f"left: {each}")
    if not found:
        say(f"nothing is left of {record.test_id}")
    records.save(replace(record, looked_again_at=rfc3339(clock.utc()), left=len(found)))
    return not found


def terminate(aws: Aws, record: Record, say: Say) -> list[str]:
    """The ids of the instances that carry the test's tag and were there to be terminated."""
    ids = tagged_instances(aws, record.test_id, TO_END)
    if aws.dry_run:
        ids = [f"those tagged {TAG}={record.test_id}"]
    if ids:
        aws.call("ec2", "terminate_instances", InstanceIds=ids)
        say(f"terminated: {', '.join(ids)}")
    return ids


def delete_parameter(aws: Aws, name: str) -> None:
    """Deletes one, where it is there."""
    _unless_gone(aws, "ssm", "delete_parameter", Name=name)


def _streams(aws: Aws, record: Record) -> list[str]:
    names: list[str] = []
    boot = (f"boot/{record.instance_id}/",) if record.instance_id else ()
    for prefix in (f"{record.run_id}/", *boot):
        query: dict[str, Any] = {"logGroupName": record.log_group, "logStreamNamePrefix": prefix}
        while True:
            assumed = {"logStreams": [{"logStreamName": f"{prefix}…"}]}
            page = aws.call("logs", "describe_log_streams", assumed=assumed, **query)
            found = [each["logStreamName"] for each in page.get("logStreams", [])]
            names += [name for name in found if name.startswith(prefix)]
            if "nextToken" not in page:
                break
            query["nextToken"] = page["nextToken"]
    return names


def _tagged(aws: Aws, record: Record, operation: str, listed: str, identity: str) -> list[str]:
    tagged = [{"Name": f"tag:{TAG}", "Values": [record.test_id]}]
    found = aws.call("ec2", operation, assumed={listed: []}, Filters=tagged)
    return [f"{identity.removesuffix('Id')} {each[identity]}" for each in found[listed]]


def _spot_requests(aws: Aws, record: Record) -> list[str]:
    if not record.instance_id:
        return []
    ours = [
        {"Name": "instance-id", "Values": [record.instance_id]},
        {"Name": "state", "Values": list(WAITING)},
    ]
    assumed: dict[str, Any] = {"SpotInstanceRequests": []}
    found = aws.call("ec2", "describe_spot_instance_requests", assumed=assumed, Filters=ours)
    return [f"spot request {r['SpotInstanceRequestId']}" for r in found["SpotInstanceRequests"]]


def _parameters(aws: Aws, record: Record) -> list[str]:
    if not record.instance_id:
        return []
    folder = f"{record.prefix}/{record.instance_id}"
    found = aws.call("ssm", "get_parameters_by_path", assumed={"Parameters": []}, Path=folder)
    return [f"parameter {each['Name']}" for each in found["Parameters"]]


def _unless_gone(aws: Aws, service: str, operation: str, **arguments: Any) -> None:
    try:
        aws.call(service, operation, **arguments)
    except ClientError as exc:
        if exc.response["Error"]["Code"] not in ("ParameterNotFound", "ResourceNotFoundException"):
            raise
