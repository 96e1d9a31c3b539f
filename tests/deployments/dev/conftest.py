"""What the tests of the live test share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.localcloud.account import OperatorClients
from agent.localcloud.aws import AwsServer
from tests.deployments.dev.github_rest import GitHubRest
from tests.deployments.dev.live_account import GROUP, REGION, Account, Live, make_template


@pytest.fixture(scope="module")
def embedded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[AwsServer, OperatorClients]]:
    """An account with a launch template and a log group: to empty moto and to fill it again takes a second."""
    server = AwsServer()
    server.start()
    operator = OperatorClients(server.url, REGION, tmp_path_factory.mktemp("aws") / "none")
    make_template(operator.client("ec2"))
    operator.client("logs").create_log_group(logGroupName=GROUP)
    yield server, operator
    server.stop()


@pytest.fixture
def account(
    embedded: tuple[AwsServer, OperatorClients], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Account]:
    server, operator = embedded
    with GitHubRest(None) as rest:
        yield Account(server, operator, rest, Live(monkeypatch, server.url, rest.url, tmp_path))
    server.faults.clear()
