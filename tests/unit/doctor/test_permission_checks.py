"""What an answer of AWS says about a permission."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from agent.clock import SystemClock
from agent.doctor.finding import Verdict
from agent.doctor.permissions import Probe, try_out


class At(SystemClock):
    """A wall clock that stands."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def utc(self) -> datetime:
        return self._moment


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DATED = {"ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 25 Nov 2026 12:00:00 GMT"}}}


def refusing(code: str) -> Any:
    def call() -> None:
        error: Any = {"Error": {"Code": code, "Message": "no"}, **DATED}
        raise ClientError(error, "Call")

    return call


def probe(call: Any, **more: Any) -> Probe:
    return Probe("ec2:TerminateInstances", "i-1", call, allowed=("DryRunOperation",), **more)


def test_the_error_that_only_an_allowed_call_gets_is_proof() -> None:
    found = try_out(probe(refusing("DryRunOperation")), At(NOON)).finding
    assert (found.verdict, found.mend) == (Verdict.OK, "")


def test_a_refusal_is_named_with_the_permission_to_give() -> None:
    found = try_out(probe(refusing("UnauthorizedOperation")), At(NOON)).finding
    assert found.verdict is Verdict.FAILED
    assert found.seen.startswith("i-1: AWS answered UnauthorizedOperation")
    assert found.mend == "give the instance role `ec2:TerminateInstances` on i-1"


def test_a_refusal_of_what_a_run_does_without_is_a_warning() -> None:
    found = try_out(probe(refusing("AccessDenied"), optional=True), At(NOON)).finding
    assert found.verdict is Verdict.WARNING


def test_a_refusal_that_may_mean_that_nothing_is_there_says_so() -> None:
    found = try_out(probe(refusing("AccessDenied"), hidden=True), At(NOON)).finding
    assert found.verdict is Verdict.WARNING
    assert "also said of what is not there" in found.seen
    assert try_out(probe(refusing("NoSuchBucket"), hidden=True), At(NOON)).finding.verdict is Verdict.FAILED  # fmt: skip


def test_no_answer_at_all_is_a_failure_with_the_way_to_look_at() -> None:
    def call() -> None:
        raise EndpointConnectionError(endpoint_url="https://ec2.eu-central-1.amazonaws.com")

    answer = try_out(probe(call), At(NOON))
    assert answer.finding.verdict is Verdict.FAILED
    assert "VPC endpoint for ec2" in answer.finding.mend
    assert answer.ahead_seconds is None


@pytest.mark.parametrize("seconds", [-400, 0, 7])
def test_the_date_of_an_answer_tells_how_far_the_clock_is_off(seconds: int) -> None:
    clock = At(NOON + timedelta(seconds=seconds))
    assert try_out(probe(refusing("DryRunOperation")), clock).ahead_seconds == seconds
    assert try_out(probe(lambda: DATED), clock).ahead_seconds == seconds
