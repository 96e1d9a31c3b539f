"""One instance, its runner config, and a workflow for it."""

import json
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from agent.clock import Clock, rfc3339
from deployments.live.account import Aws, Refused, Say
from deployments.live.github import Repository
from deployments.live.record import TAG, Record, Records
from deployments.live.scenarios import SCENARIOS, WORKFLOWS, workflow_of
from deployments.live.tear_down import delete_parameter, terminate
from deployments.live.template import faults_of_template

NEW = "i-of-the-new-instance"
TAGGED = ("instance", "volume", "network-interface")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is launched.

    Attributes:
        template: the launch template's name.
        version: of it, or `$Default`, `$Latest`.
        instance_type: None for the template's own.
        subnet: None for the template's, or the default VPC's.
        spot: on the spot market, once, terminated when it is taken back.
    """

    template: str
    version: str
    instance_type: str | None = None
    subnet: str | None = None
    spot: bool = False


class Launch:
    """The step `launch`."""

    def __init__(
        self, aws: Aws, repository: Repository, records: Records, *, clock: Clock, say: Say
    ) -> None:
        self._aws = aws
        self._repository = repository
        self._records = records
        self._clock = clock
        self._say = say

    def __call__(self, record: Record, machine: Machine, *, ref: str | None) -> Record:
        """Launches, writes the config, dispatches.

        Args:
            record: the test, not launched yet.
            machine: what is launched.
            ref: the branch whose workflow is dispatched; None to dispatch none.

        Raises:
            Refused: something that was looked at before is not as it must be, and nothing was launched; or GitHub
                would not dispatch. Whatever goes wrong after the record is on disk, what was made is taken back.
            OSError: the record cannot be written.
        """
        if self._records.has(record.test_id):
            raise Refused(
                f"a test {record.test_id} was launched already; take another --id, and tear that one down"
            )
        self._look_first(record, machine)
        token = self._repository.registration_token()
        record = replace(record, launched_at=rfc3339(self._clock.utc()))
        # On disk before there is an instance: whatever becomes of the launch, `live tear-down` knows what to look for.
        self._save(record)
        try:
            record = replace(record, instance_id=self._run(record, machine))
            self._save(record)
            if not self._aws.dry_run:
                self._say(f"launched {record.instance_id}: {SCENARIOS[record.scenario].what}")
            self._write_config(record, token)
            if ref is not None:
                workflow = workflow_of(record.scenario)
                self._repository.dispatch(workflow, runner=record.runner, ref=ref)
        except BaseException:
            self._take_back(record)
            raise
        return record

    def _look_first(self, record: Record, machine: Machine) -> None:
        wrong = faults_of_template(self._aws, machine.template, machine.version)
        if wrong:
            raise Refused(f"launch template {machine.template}: {'; '.join(wrong)}")
        workflow = workflow_of(record.scenario)
        if not self._repository.has_workflow(workflow):
            raise Refused(
                f"{self._repository.name} has no workflow {workflow}; copy {WORKFLOWS / workflow} "
                "to .github/workflows/ on its default branch"
            )

    def _save(self, record: Record) -> None:
        if not self._aws.dry_run:
            self._records.save(record)

    def _run(self, record: Record, machine: Machine) -> str:
        template = {"LaunchTemplateName": machine.template, "Version": machine.version}
        made = self._aws.call(
            "ec2",
            "run_instances",
            assumed={"Instances": [{"InstanceId": NEW}]},
            LaunchTemplate=template,
            MinCount=1,
            MaxCount=1,
            # Told twice, EC2 launches once.
            ClientToken=record.runner,
            TagSpecifications=[_tags(kind, record) for kind in TAGGED],
            **_options(machine),
        )
        return str(made["Instances"][0]["InstanceId"])

    def _take_back(self, record: Record) -> None:
        again = f"call `live tear-down --id {record.test_id}`"
        self._say("the launch failed half-way")
        try:
            if not self._terminate(record):
                # A fresh instance may not be listed yet.
                tag = f"{TAG}={record.test_id}"
                self._say(f"no instance has the tag {tag} yet; {again} in a minute, to be sure")
        except (BotoCoreError, ClientError) as exc:
            told = record.instance_id or "the instance"
            self._say(f"{told} COULD NOT BE TERMINATED ({exc}); {again}")
        for name in record.parameters:
            try:
                delete_parameter(self._aws, name)
            except (BotoCoreError, ClientError) as exc:
                self._say(f"{name} COULD NOT BE DELETED ({exc}); {again}")

    def _terminate(self, record: Record) -> bool:
        if not record.instance_id:
            return bool(terminate(self._aws, record, self._say))
        self._aws.call("ec2", "terminate_instances", InstanceIds=[record.instance_id])
        self._say(f"terminated: {record.instance_id}")
        return True

    def _write_config(self, record: Record, token: str) -> None:
        config = {
            "org": record.repo.partition("/")[0],
            "repo": record.repo,
            "run_id": record.run_id,
            "jit_token": token,
            "labels": ["self-hosted", record.runner],
            "runner_name": record.runner,
            "created_at": rfc3339(self._clock.utc()),
            **({"termination_queue_url": record.queue_url} if record.queue_url else {}),
        }
        self._aws.call(
            "ssm",
            "put_parameter",
            hidden=("Value",),
            Name=record.parameters[0],
            Value=json.dumps(config),
            Type="SecureString",
            Overwrite=True,
        )


def _tags(kind: str, record: Record) -> dict[str, Any]:
    tags = {TAG: record.test_id, "Name": record.runner}
    return {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


def _options(machine: Machine) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if machine.instance_type:
        options["InstanceType"] = machine.instance_type
    if machine.subnet:
        options["SubnetId"] = machine.subnet
    if machine.spot:
        once = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        options["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": once}
    return options
