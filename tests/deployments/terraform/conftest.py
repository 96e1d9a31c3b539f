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
            yield thread.submit(apply, terraform, Account(moto.stdout.readline().strip()))
        finally:
            moto.terminate()
