from typing import Any

import httpx
import pytest

from agent.doctor.finding import Verdict
from agent.doctor.outside import check_clock, check_github, check_github_api
from agent.settings import Settings

PINNED = {"RUNS_FLEET_RUNNER_VERSION": "2.336.0", "RUNS_FLEET_RUNNER_SHA256": "0" * 64}


def answering(status: int, body: Any = None) -> httpx.Client:
    return httpx.Client(
        transport=httpx.MockTransport(lambda _request: httpx.Response(status, json=body))
    )


def unreachable() -> httpx.Client:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Name or service not known")

    return httpx.Client(transport=httpx.MockTransport(refuse))


def left(count: int) -> dict[str, Any]:
    return {"resources": {"core": {"limit": 60, "remaining": count}}}


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        ([], Verdict.SKIPPED),
        ([None], Verdict.SKIPPED),
        ([0.4, None], Verdict.OK),
        ([-9.0, -9.8], Verdict.WARNING),
        ([420.0], Verdict.FAILED),
        ([-301.0], Verdict.FAILED),
    ],
)
def test_a_clock_is_judged_by_what_aws_accepts(ahead: list[float | None], verdict: Verdict) -> None:
    assert check_clock(ahead).verdict is verdict


def test_the_mend_of_a_clock_names_the_time_service_of_aws() -> None:
    found = check_clock([-420.0])
    assert found.seen == "420 s behind AWS's: signatures are refused"
    assert "169.254.169.123" in found.mend


def test_github_that_answers_is_well_whatever_it_answers() -> None:
    settings = Settings.from_environment({})
    assert check_github(settings, answering(404)).verdict is Verdict.OK
    assert check_github(settings, answering(503)).verdict is Verdict.FAILED


def test_github_out_of_reach_is_named_with_the_way_to_look_at() -> None:
    found = check_github(Settings.from_environment(PINNED), unreachable())
    assert found.verdict is Verdict.FAILED
    assert "HTTPS_PROXY" in found.mend


def test_the_rate_limit_that_is_left_is_shown_and_none_left_is_a_failure() -> None:
    settings = Settings.from_environment({})
    some = check_github_api(settings, answering(200, left(57)))
    assert (some.verdict, some.seen.split()[0]) == (Verdict.OK, "57")
    none = check_github_api(settings, answering(200, left(0)))
    assert none.verdict is Verdict.FAILED
    assert "RUNS_FLEET_RUNNER_SHA256" in none.mend


def test_a_server_without_rate_limits_is_well() -> None:
    settings = Settings.from_environment({})
    assert check_github_api(settings, answering(404, {})).verdict is Verdict.OK
    assert check_github_api(settings, answering(200, [])).verdict is Verdict.OK


def test_an_api_that_a_pinned_run_does_not_ask_is_a_warning() -> None:
    found = check_github_api(Settings.from_environment(PINNED), unreachable())
    assert found.verdict is Verdict.WARNING
    assert "version and digest are pinned" in found.seen
