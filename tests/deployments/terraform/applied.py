"""The complete example, applied to an account of moto's."""

from dataclasses import dataclass
from pathlib import Path

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


def apply(terraform: Terraform, account: Account) -> Applied:
    """With two architectures; it takes a minute."""
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
