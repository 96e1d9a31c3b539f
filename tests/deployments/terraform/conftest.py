import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.localcloud.cloud import IMAGE
from agent.localcloud.imds import ACCOUNT
from tests.deployments.terraform.account import REGION, Account
from tests.deployments.terraform.tool import Terraform

OVERRIDE = """
provider "aws" {
  access_key                  = "test"
  secret_key                  = "test"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    return Terraform(tmp_path_factory.mktemp("terraform") / "copy")


@dataclass(frozen=True)
class Applied:
    """The complete example in an account of moto's.

    Attributes:
        before: what was there without it.
    """

    terraform: Terraform
    folder: Path
    account: Account
    before: frozenset[str]
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """What Terraform said."""
        return self.terraform.run(*arguments, at=self.folder, environment=self.environment).stdout


@pytest.fixture(scope="session")
def applying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Applied]]:
    """Begins to apply the complete example to moto: Terraform then waits a minute for SQS and S3 to agree with themselves."""
    program = [sys.executable, str(Path(__file__).with_name("moto_for_terraform.py"))]
    terraform = Terraform(tmp_path_factory.mktemp("applied") / "copy")
    with (
        subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as moto,
        ThreadPoolExecutor(1) as thread,
    ):
        try:
            assert moto.stdout is not None
            yield thread.submit(_apply, terraform, Account(moto.stdout.readline().strip()))
        finally:
            moto.terminate()


def _apply(terraform: Terraform, account: Account) -> Applied:
    folder = terraform.module / "examples/complete"
    (folder / "override.tf").write_text(OVERRIDE)
    digests = f'{{ x64 = "{"0" * 64}", arm64 = "{"1" * 64}" }}'
    variables = {
        "region": REGION,
        "vpc_id": account.default_vpc(),
        "image_ids": f'{{ x64 = "{IMAGE}", arm64 = "{IMAGE}" }}',
        "agent": f'{{ version = "0.1.0", sha256 = {digests}, install_sha256 = "{"2" * 64}" }}',
        "alarm_topic_arns": f'["arn:aws:sns:{REGION}:{ACCOUNT}:on-call"]',
    }
    environment = {f"TF_VAR_{name}": value for name, value in variables.items()}
    environment["AWS_ENDPOINT_URL"] = account.url
    applied = Applied(terraform, folder, account, frozenset(account.everything()), environment)
    applied.run("init")
    applied.run("apply", "-auto-approve")
    return applied
