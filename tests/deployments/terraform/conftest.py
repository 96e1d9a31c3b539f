import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployments.terraform.account import Account
from tests.deployments.terraform.applied import Applied, apply
from tests.deployments.terraform.tool import Terraform


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    return Terraform(tmp_path_factory.mktemp("terraform") / "copy")


@pytest.fixture(scope="session")
def moto_account() -> Iterator[Account]:
    """An account for Terraform."""
    program = [sys.executable, str(Path(__file__).with_name("moto_for_terraform.py"))]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as moto:
        try:
            assert moto.stdout is not None
            yield Account(moto.stdout.readline().strip())
        finally:
            moto.terminate()


@pytest.fixture(scope="session")
def applying(
    tmp_path_factory: pytest.TempPathFactory, moto_account: Account
) -> Iterator[Future[Applied]]:
    """Begins to apply the complete example to moto: Terraform then waits a minute for SQS and S3 to agree with themselves."""
    terraform = Terraform(tmp_path_factory.mktemp("applied") / "copy")
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(apply, terraform, moto_account)
