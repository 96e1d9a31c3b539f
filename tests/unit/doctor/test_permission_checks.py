"""What an answer of AWS says about a permission."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from agent.aws import Clients
from agent.clock import SystemClock
from agent.doctor.finding import Finding, Verdict
from agent.doctor.permissions import Probe, probes, try_out
from agent.doctor.place import Place
from agent.settings import Settings


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


SETTINGS = {
    "RUNS_FLEET_CONFIG_BUCKET": "bucket",
    "RUNS_FLEET_TERMINATION_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q.fifo",
}


def permissions(*, send: bool = True, instance: str | None = "i-1", **more: str) -> list[Any]:
    settings = Settings.from_environment({**SETTINGS, **more})
    place = Place(instance, "eu-central-1")
    clients = Clients("eu-central-1")
    return list(probes(settings, place, clients, arch="x64", now=NOON, send=send))


def name_of(each: Probe | Finding) -> str:
    return each.permission if isinstance(each, Probe) else each.name


def test_the_table_in_the_docs_names_what_is_tried_and_nothing_else() -> None:
    text = (Path(__file__).parents[3] / "docs/doctor.md").read_text()
    table = text.partition("## How a permission is tried")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z0-9]+:[A-Za-z]+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(name_of(each) for each in permissions())


@pytest.mark.parametrize(
    ("given", "not_tried"),
    [
        ({"send": False}, {"sqs:SendMessage"}),
        ({"RUNS_FLEET_TERMINATION_QUEUE_URL": ""}, {"sqs:SendMessage"}),
        ({"RUNS_FLEET_CONFIG_BUCKET": ""}, {"s3:GetObject", "s3:PutObject"}),
        ({"RUNS_FLEET_LOG_GROUP": ""}, {"logs:CreateLogStream", "logs:PutLogEvents"}),
        (
            {"instance": None},
            {"ec2:TerminateInstances", "ssm:GetParameter", "ssm:DeleteParameter"},
        ),
    ],
)
def test_what_cannot_or_may_not_be_tried_is_skipped_with_the_reason(
    given: dict[str, Any], not_tried: set[str]
) -> None:
    skipped = [each for each in permissions(**given) if isinstance(each, Finding)]
    assert {each.name for each in skipped} == not_tried
    assert all(each.verdict is Verdict.SKIPPED and each.seen for each in skipped)


def test_the_cache_is_looked_for_where_the_runner_would_be() -> None:
    exact = permissions(RUNS_FLEET_RUNNER_VERSION="2.336.0")
    (get,) = (each for each in exact if name_of(each) == "s3:GetObject")
    assert get.resource == "s3://bucket/runners/2.336.0/x64/actions-runner-2.336.0.tar.gz"
