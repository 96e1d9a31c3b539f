"""An account to test in: a launch template, a queue, a log group, and the command line of the live test."""

from pathlib import Path
from typing import Any

import pytest

from deployments.live.cli import main
from tests.deployments.dev.github_rest import TOKEN

ACCOUNT, REGION = "123456789012", "eu-central-1"
TEMPLATE = "runs-fleet-runner-amd64"
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


def make_template(ec2: Any, name: str = TEMPLATE, **other: Any) -> None:
    data = {k: v for k, v in {**GOOD, **other}.items() if v is not None}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
