"""The Releases API through a transport that answers from a function; the real one is played by the embedded GitHub."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import Clock, SystemClock
from agent.deadline import Deadline
from agent.errors import (
    AgentError,
    DigestMismatch,
    DownloadError,
    Interrupted,
    ReleaseError,
    SettingsError,
)
from agent.releases.github import Release, Releases, pinned

GOOD = "a" * 64
OTHER = "b" * 64
NAME = "actions-runner-linux-x64-2.336.0.tar.gz"
API = "https://api.example"
CLOCK = SystemClock()


def body(digest: str = GOOD, runtime: str = "linux-x64") -> str:
    return f"- {NAME} <!-- BEGIN SHA {runtime} -->{digest}<!-- END SHA {runtime} -->"


def release(**changes: Any) -> dict[str, Any]:
    asset = {
        "name": NAME,
        "state": "uploaded",
        "size": 7,
        "digest": f"sha256:{GOOD}",
        "browser_download_url": f"https://dl.example/{NAME}",
        **changes.pop("asset", {}),
    }
    return {"tag_name": "v2.336.0", "body": body(), "assets": [asset], **changes}


class FakeClock:
    """Waits in no time and remembers how long."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.waited: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return event.is_set()


def find(
    answer: Callable[[httpx.Request], httpx.Response],
    version: str = "latest",
    seconds: float = 5,
    clock: Clock = CLOCK,
    stop: threading.Event | None = None,
) -> Release:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        releases = Releases(client, API, clock=clock, stop=stop or threading.Event())
        return releases.find(version, "x64", deadline=Deadline.after(clock, seconds))


def found(**changes: Any) -> Release:
    return find(lambda _: httpx.Response(200, json=release(**changes)))


def test_the_archive_for_this_architecture_is_picked_with_its_digest_and_size() -> None:
    got = found()
    assert got == Release("2.336.0", "x64", f"https://dl.example/{NAME}", GOOD, 7)


@pytest.mark.parametrize("version", ["2.336.0", "v2.336.0"])
def test_an_exact_version_is_asked_for_by_its_tag(version: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=release())

    find(answer, version)
    assert asked == ["/repos/actions/runner/releases/tags/v2.336.0"]


@pytest.mark.parametrize(
    "changes", [{"body": ""}, {"body": None}, {"asset": {"digest": None}}], ids=str
)
def test_one_of_the_two_digests_is_enough(changes: dict[str, Any]) -> None:
    assert found(**changes).sha256 == GOOD


def test_two_digests_that_do_not_agree_are_refused() -> None:
    with pytest.raises(DigestMismatch, match="two digests"):
        found(body=body(OTHER))


def test_two_markers_that_do_not_agree_are_refused_too() -> None:
    with pytest.raises(DigestMismatch, match="two digests"):
        found(body=body() + "\n" + body(OTHER), asset={"digest": None})


def test_a_marker_beside_another_archives_name_says_nothing() -> None:
    with pytest.raises(ReleaseError, match="publishes no SHA-256"):
        found(body=body().replace(NAME, "other.tar.gz"), asset={"digest": None})


def test_upper_case_is_the_same_digest() -> None:
    assert found(body=body(GOOD.upper())).sha256 == GOOD


def test_an_answer_for_another_version_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"2\.336\.0 for 2\.300\.0"):
        find(lambda _: httpx.Response(200, json=release()), "2.300.0")


@pytest.mark.parametrize("marker", [body(runtime="linux-arm64"), "sha: " + GOOD, body("zz")])
def test_without_any_digest_the_release_is_refused_with_the_pin_as_mend(marker: str) -> None:
    with pytest.raises(ReleaseError, match="RUNS_FLEET_RUNNER_SHA256"):
        found(body=marker, asset={"digest": None})


@pytest.mark.parametrize("asset", [{"name": "other"}, {"state": "starter"}], ids=str)
def test_an_archive_that_is_not_uploaded_yet_may_be_there_a_minute_later(asset: Any) -> None:
    with pytest.raises(ReleaseError) as caught:
        found(asset=asset)
    assert caught.value.transient


def test_a_version_that_does_not_exist_is_final() -> None:
    with pytest.raises(ReleaseError, match=r"'9\.9\.9'") as caught:
        find(lambda _: httpx.Response(404, json={"message": "Not Found"}), "9.9.9")
    assert not caught.value.transient


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_api_is_transient(status: int) -> None:
    with pytest.raises(DownloadError) as caught:
        find(lambda _: httpx.Response(status))
    assert caught.value.transient


def test_a_refused_connection_is_transient() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DownloadError) as caught:
        find(refuse)
    assert caught.value.transient


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (httpx.Response(429, headers={"Retry-After": "0"}), 1),
        (httpx.Response(403, headers={"Retry-After": "30"}), 30),
        (httpx.Response(429, headers={"Retry-After": "soon"}), 60),
        (httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."}), 60),
        (
            httpx.Response(
                403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000020"}
            ),
            21,
        ),
        (
            httpx.Response(403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}),
            1,
        ),
    ],
)
def test_a_rate_limit_that_ends_in_time_is_waited_for(
    answer: httpx.Response, seconds: float
) -> None:
    clock, answers = FakeClock(), iter([answer, httpx.Response(200, json=release())])
    assert find(lambda _: next(answers), seconds=100, clock=clock).sha256 == GOOD
    assert clock.waited == [seconds]


def test_a_limit_that_is_always_about_to_end_is_not_waited_for_beyond_the_deadline() -> None:
    clock = FakeClock()
    with pytest.raises(DownloadError, match="rate limit"):
        find(lambda _: httpx.Response(429, headers={"Retry-After": "0"}), clock=clock)
    assert clock.waited == [1, 1, 1, 1]


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()

    def limited(_: httpx.Request) -> httpx.Response:
        stop.set()
        return httpx.Response(429, headers={"Retry-After": "30"})

    with pytest.raises(Interrupted):
        find(limited, seconds=60, stop=stop)


def test_a_refusal_that_is_no_rate_limit_is_final() -> None:
    with pytest.raises(DownloadError, match="answers 403") as caught:
        find(lambda _: httpx.Response(403, json={"message": "Forbidden"}))
    assert not caught.value.transient


def test_an_answer_that_trickles_in_ends_with_the_deadline() -> None:
    clock = FakeClock()

    def trickle() -> Iterator[bytes]:
        while True:
            clock.now += 1
            yield b" "

    with pytest.raises(DownloadError, match="in time: 5 bytes so far") as caught:
        find(lambda _: httpx.Response(200, content=trickle()), clock=clock)
    assert caught.value.transient


@pytest.mark.parametrize("token", ["secret\n", "sec ret", "sécret"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_never_printed(token: str) -> None:
    with httpx.Client() as client, pytest.raises(SettingsError, match="GITHUB_TOKEN") as caught:
        Releases(client, API, clock=CLOCK, stop=threading.Event(), token=token)
    assert token.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "3600"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(4_000_000_000)},
    ],
    ids=str,
)
def test_a_rate_limit_that_does_not_end_in_time_is_final_and_names_the_token(
    headers: dict[str, str],
) -> None:
    with pytest.raises(DownloadError, match="RUNS_FLEET_GITHUB_TOKEN") as caught:
        find(lambda _: httpx.Response(403, headers=headers))
    assert not caught.value.transient
    assert caught.value.retry_after_seconds


def test_an_endless_answer_is_refused() -> None:
    with pytest.raises(ReleaseError, match="4 MiB"):
        find(lambda _: httpx.Response(200, content=bytes(5 << 20)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tag_name", "body", "assets", "name", "digest", "size", "x"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_a_release_or_a_named_error(answer: Any) -> None:
    content = json.dumps(answer).encode()
    with contextlib.suppress(AgentError):
        assert len(find(lambda _: httpx.Response(200, content=content)).sha256) == 64


def test_the_token_goes_to_the_api_only_as_a_header() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        return httpx.Response(200, json=release())

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        stop = threading.Event()
        releases = Releases(client, API, clock=CLOCK, stop=stop, token="secret")
        releases.find("latest", "x64", deadline=Deadline.after(CLOCK, 5))


def test_a_pin_needs_no_api() -> None:
    got = pinned("2.336.0", "x64", GOOD, "https://github.com")
    assert got.url == f"https://github.com/actions/runner/releases/download/v2.336.0/{NAME}"
