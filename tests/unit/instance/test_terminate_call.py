"""TerminateInstances over real HTTP: this instance, no other, and one line for every refusal."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Response

from agent.errors import AwsError
from agent.instance.terminate import terminate
from agent.localcloud.account import OperatorClients
from agent.localcloud.aws import AwsServer
from agent.localcloud.faults import BlackHole
from agent.outcome import Reason
from tests.unit.instance.conftest import Ec2At, Serve

NOWHERE = "http://127.0.0.1:9"
DID_NOT_RAISE = pytest.fail.Exception
CALL = "TerminateInstances"
PAGE = "<html><body>a proxy's own page</body></html>"


class Account:
    """An account with instances, the agent's client to it and the onlooker's."""

    def __init__(self, server: AwsServer, agent: Any, onlooker: Any) -> None:
        self.server = server
        self.agent = agent
        self.onlooker = onlooker
        self._before = len(server.calls)

    def launch(self) -> str:
        made = self.onlooker.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
        return str(made["Instances"][0]["InstanceId"])

    def state(self, instance_id: str) -> str:
        found = self.onlooker.describe_instances(InstanceIds=[instance_id])
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])

    def statuses(self) -> list[int]:
        """Of the agent's calls in this test; 0 where the answer was lost."""
        return [call.status for call in self.server.calls[self._before :]]

    def named(self) -> set[str]:
        """The instances in the agent's calls in this test."""
        return {one for call in self.server.calls[self._before :] for one in call.instance_ids}


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def onlooker(server: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    nowhere = tmp_path_factory.mktemp("aws") / "none"
    return OperatorClients(server.url, "eu-central-1", nowhere).client("ec2")


@pytest.fixture
def account(server: AwsServer, onlooker: Any, ec2_at: Ec2At) -> Iterator[Account]:
    yield Account(server, ec2_at(server.url), onlooker)
    server.faults.clear()


def test_this_instance_is_terminated_and_no_other(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="agent")
    this, other = account.launch(), account.launch()
    terminate(account.agent, this)
    assert account.state(this) in ("shutting-down", "terminated")
    assert account.state(other) == "running"
    assert account.named() == {this}
    (line,) = [each.getMessage() for each in caplog.records if each.name.startswith("agent.")]
    assert line.startswith(f"instance.terminating instance_id={this} state=")


def test_an_instance_that_is_going_already_may_be_terminated_again(account: Account) -> None:
    this = account.launch()
    terminate(account.agent, this)
    terminate(account.agent, this)
    assert account.statuses() == [200, 200]


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "RequestLimitExceeded"), (503, "Unavailable"), (500, "InternalError")],
)
def test_a_throttled_call_is_an_outage_and_works_when_it_is_made_again(
    account: Account, status: int, code: str
) -> None:
    this = account.launch()
    account.server.faults.fail("ec2", CALL, times=1, status=status, code=code)
    with pytest.raises(AwsError, match=code) as caught:
        terminate(account.agent, this)
    assert caught.value.transient
    assert caught.value.reason is Reason.AWS_UNAVAILABLE
    assert account.state(this) == "running"
    terminate(account.agent, this)
    assert account.state(this) in ("shutting-down", "terminated")


def test_a_lost_answer_is_an_outage_and_may_be_asked_for_again(account: Account) -> None:
    this = account.launch()
    account.server.faults.hang("ec2", CALL, seconds=0.0, times=1, takes_effect=True)
    with pytest.raises(AwsError) as caught:
        terminate(account.agent, this)
    assert caught.value.transient
    terminate(account.agent, this)
    assert account.statuses() == [0, 200]
    assert account.named() == {this}


@pytest.mark.parametrize(
    ("status", "code", "mend"),
    [
        (403, "UnauthorizedOperation", "give the instance role `ec2:TerminateInstances` on i-"),
        (401, "AuthFailure", "instance profile"),
        (400, "RequestExpired", "check the clock"),
        (400, "InvalidInstanceID.Malformed", "look up InvalidInstanceID.Malformed"),
    ],
)
def test_a_refusal_is_final_and_one_line_with_call_instance_and_mend(
    account: Account, status: int, code: str, mend: str
) -> None:
    this = account.launch()
    account.server.faults.fail("ec2", CALL, status=status, code=code)
    with pytest.raises(AwsError) as caught:
        terminate(account.agent, this)
    assert not caught.value.transient
    assert caught.value.reason is Reason.AWS_REFUSED
    assert caught.value.what.startswith(f"ec2:TerminateInstances on {this}: AWS answered {code}")
    assert mend in caught.value.mend
    assert "\n" not in str(caught.value)
    assert account.statuses() == [status]
    assert account.state(this) == "running"


def test_an_instance_protected_from_termination_is_a_refusal(account: Account) -> None:
    this = account.launch()
    account.onlooker.modify_instance_attribute(
        InstanceId=this, DisableApiTermination={"Value": True}
    )
    with pytest.raises(AwsError, match="OperationNotPermitted") as caught:
        terminate(account.agent, this)
    assert not caught.value.transient
    assert account.state(this) == "running"


def test_a_wrong_id_is_final_and_named_and_others_live_on(account: Account) -> None:
    other, wrong = account.launch(), "i-0123456789abcdef0"
    with pytest.raises(AwsError, match=r"InvalidInstanceID\.NotFound") as caught:
        terminate(account.agent, wrong)
    assert not caught.value.transient
    assert wrong in caught.value.what
    assert account.statuses() == [400]
    assert account.state(other) == "running"


def test_an_endpoint_that_nobody_serves_is_an_outage(ec2_at: Ec2At) -> None:
    with pytest.raises(AwsError, match=r"ec2:TerminateInstances on i-1: ") as caught:
        terminate(ec2_at(NOWHERE), "i-1")
    assert caught.value.transient
    assert "VPC endpoint for ec2" in caught.value.mend


def test_an_endpoint_that_never_answers_is_an_outage_in_the_clients_own_time(
    ec2_at: Ec2At,
) -> None:
    with BlackHole() as hole, pytest.raises(AwsError, match="ReadTimeoutError") as caught:
        terminate(ec2_at(hole.url, 0.3), "i-1")
    assert caught.value.transient


@pytest.mark.parametrize("status", [500, 502])
def test_a_gateways_page_with_a_server_error_is_an_outage(
    serve: Serve, ec2_at: Ec2At, status: int
) -> None:
    url = serve(lambda _: Response(PAGE, status, mimetype="text/html"))
    with pytest.raises(AwsError, match=f"AWS answered {status}") as caught:
        terminate(ec2_at(url), "i-1")
    assert caught.value.transient


@pytest.mark.parametrize("status", [200, 403, 407])
def test_a_page_that_is_no_answer_of_ec2_is_an_aws_error(
    serve: Serve, ec2_at: Ec2At, status: int
) -> None:
    url = serve(lambda _: Response("<html><br>not XML</html>", status, mimetype="text/html"))
    with pytest.raises(AwsError):
        terminate(ec2_at(url), "i-1")


def test_an_answer_that_names_no_instance_is_no_yes(serve: Serve, ec2_at: Ec2At) -> None:
    url = serve(lambda _: Response(PAGE, mimetype="text/xml"))
    with pytest.raises(AwsError):
        terminate(ec2_at(url), "i-1")
