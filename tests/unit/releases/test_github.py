"""The Releases API through a transport that answers from a function; the real one is played by the embedded GitHub."""

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.errors import AgentError, DigestMismatch, DownloadError, ReleaseError
from agent.releases.github import Release, Releases, pinned
from agent.releases.version import RunnerVersion, architecture, asset_name

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


def find(
    answer: Callable[[httpx.Request], httpx.Response], version: str = "latest", seconds: float = 5
) -> Release:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        releases = Releases(client, API, clock=CLOCK, stop=threading.Event())
        return releases.find(version, "x64", deadline=Deadline.after(CLOCK, seconds))


def found(**changes: Any) -> Release:
    return find(lambda _: httpx.Response(200, json=release(**changes)))


def test_the_archive_for_this_architecture_is_picked_with_its_digest_and_size() -> None:
    got = found()
    assert got == Release("2.336.0", "x64", f"https://dl.example/{NAME}", GOOD, 7)


def test_an_exact_version_is_asked_for_by_its_tag() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=release())

    find(answer, "2.336.0")
    assert asked == ["/repos/actions/runner/releases/tags/v2.336.0"]


@pytest.mark.parametrize(
    "changes", [{"body": ""}, {"body": None}, {"asset": {"digest": None}}], ids=str
)
def test_one_of_the_two_digests_is_enough(changes: dict[str, Any]) -> None:
    assert found(**changes).sha256 == GOOD


def test_two_digests_that_do_not_agree_are_refused() -> None:
    with pytest.raises(DigestMismatch, match="two digests"):
        found(body=body(OTHER))


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


def test_a_rate_limit_that_ends_in_time_is_waited_for() -> None:
    answers = iter(
        [httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(200, json=release())]
    )
    assert find(lambda _: next(answers)).sha256 == GOOD


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


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", "x64"), ("aarch64", "arm64")])
def test_architectures_as_github_names_them(machine: str, arch: str) -> None:
    assert architecture(machine) == arch
    assert asset_name("2.336.0", arch) == f"actions-runner-linux-{arch}-2.336.0.tar.gz"


def test_an_architecture_without_a_runner_is_named() -> None:
    with pytest.raises(ReleaseError, match="riscv64"):
        architecture("riscv64")


@pytest.mark.parametrize("text", ["", "2.336", "latest", "2.336.0-rc1", "v2.336.0\n", "٢.1.0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError):
        RunnerVersion.parse(text)


def test_versions_are_ordered_by_number() -> None:
    assert RunnerVersion.parse("v2.99.0") < RunnerVersion.parse("2.336.0")
    assert str(RunnerVersion.parse("v2.336.0")) == "2.336.0"
