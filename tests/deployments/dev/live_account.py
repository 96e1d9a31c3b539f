"""An account to test in: a launch template, a repository, and the command line of the live test."""

from pathlib import Path
from typing import Any

import pytest

from agent.localcloud.account import OperatorClients
from agent.localcloud.aws import AwsServer
from deployments.live.cli import main
from deployments.live.record import Record, Records
from tests.deployments.dev.github_rest import TOKEN, GitHubRest

ACCOUNT, REGION = "123456789012", "eu-central-1"
GROUP = "/runs-fleet/agent"
TEMPLATE = "runs-fleet-runner-amd64"
WANTED = ("--id", "one", "--repo", "octo-org/live-test", "--launch-template", TEMPLATE)
STEPS = {
    "check": (*WANTED, "--bucket", "b"),
    "publish": ("--bucket", "b"),
    "launch": WANTED,
    **dict.fromkeys(("watch", "interrupt", "verify", "tear-down", "leftovers"), ("--id", "one")),
}
GOOD: dict[str, Any] = {
    "ImageId": "ami-12c6146b",
    "InstanceType": "c7i.large",
    "InstanceInitiatedShutdownBehavior": "terminate",
    "MetadataOptions": {"HttpTokens": "required"},
    "IamInstanceProfile": {"Name": "runs-fleet"},
    "UserData": "I2Nsb3VkLWNvbmZpZwo=",
}


class Live:
    """Calls the steps as a person does."""

    def __init__(self, patch: pytest.MonkeyPatch, aws_url: str, rest_url: str, home: Path) -> None:
        self._rest_url = rest_url
        self.records = home / "records"
        for name, value in {
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_ACCESS_KEY_ID": "PERSON",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": str(home / "none"),
            "GITHUB_TOKEN": TOKEN,
            "NO_PROXY": "127.0.0.1",
        }.items():
            patch.setenv(name, value)

    def __call__(self, step: str, *words: str, account: str = ACCOUNT, region: str = REGION) -> int:
        place = ("--account", account, "--region", region, "--records", str(self.records))
        return main([step, *place, "--github-api-url", self._rest_url, *words])


class Account:
    """An embedded one, its repository, and the steps in front of both."""

    def __init__(
        self, server: AwsServer, operator: OperatorClients, rest: GitHubRest, live: Live
    ) -> None:
        self.server = server
        self.client = operator.client
        self.rest = rest
        self.live = live
        self._calls = len(server.calls)
        self._older = set(self._instances())

    def asked(self) -> list[str]:
        """Every call that a step has made in this test, whatever became of it."""
        return [call.operation for call in self.server.calls[self._calls :]]

    def states(self) -> dict[str, str]:
        """Of the instances of this test."""
        return {i: state for i, state in self._instances().items() if i not in self._older}

    def lose_launches(self) -> None:
        """EC2 launches, and whoever asked hears of an error."""
        self.server.faults.fail(
            "ec2", "RunInstances", status=400, code="RequestExpired", takes_effect=True
        )

    def launched(self) -> Record:
        assert self.live("launch", *WANTED) == 0
        return Records(self.live.records).load("one")

    def _instances(self) -> dict[str, str]:
        groups = self.client("ec2").describe_instances()["Reservations"]
        return {i["InstanceId"]: i["State"]["Name"] for g in groups for i in g["Instances"]}


def make_template(ec2: Any, name: str = TEMPLATE, **other: Any) -> None:
    data = {k: v for k, v in {**GOOD, **other}.items() if v is not None}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
