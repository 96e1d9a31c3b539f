import re
from collections.abc import Iterator
from typing import Any, Protocol

import httpx
import pytest

from agent.localcloud.github import GitHub, RegisteredRunner
from agent.localcloud.github_releases import ArchiveOnDisk, GitHubOptions

LATEST = "/repos/actions/runner/releases/latest"
REGISTRATION = "/api/v3/actions/runner-registration"


class Make(Protocol):
    def __call__(self, options: GitHubOptions | None = None) -> GitHub: ...


@pytest.fixture
def make(plain_archive: ArchiveOnDisk) -> Iterator[Make]:
    made: list[GitHub] = []

    def start(options: GitHubOptions | None = None) -> GitHub:
        github = GitHub(plain_archive, options)
        github.start()
        made.append(github)
        return github

    yield start
    for github in made:
        github.stop()


def _latest(github: GitHub) -> Any:
    answer = httpx.get(github.url + LATEST)
    assert answer.status_code == 200
    return answer.json()


def _built(release: Any) -> Any:
    return next((a for a in release["assets"] if "linux-x64" in a["name"]), None)


def _marker(release: Any) -> str | None:
    found = re.search(
        r"linux-x64-[\d.]+\.tar\.gz <!-- BEGIN SHA linux-x64 -->(\w{64})<!-- END SHA linux-x64 -->",
        release["body"],
    )
    return found.group(1) if found else None


def test_the_latest_release_has_githubs_shape(make: Make, plain_archive: ArchiveOnDisk) -> None:
    github = make()
    release = _latest(github)
    assert release["tag_name"] == release["name"] == "v2.336.0"
    assert (release["draft"], release["prerelease"]) == (False, False)
    assert len(release["assets"]) == 7
    asset = _built(release)
    assert asset["name"] == plain_archive.name
    assert asset["size"] == plain_archive.size
    assert asset["digest"] == f"sha256:{plain_archive.sha256}"
    assert asset["state"] == "uploaded"
    assert asset["content_type"] == "application/octet-stream"
    assert asset["browser_download_url"] == (
        f"{github.url}/actions/runner/releases/download/v2.336.0/{plain_archive.name}"
    )
    assert _marker(release) == plain_archive.sha256


def test_a_known_tag_is_the_same_release_and_an_unknown_one_is_githubs_404(make: Make) -> None:
    github = make()
    tags = f"{github.url}/repos/actions/runner/releases/tags"
    assert httpx.get(f"{tags}/v2.336.0").json() == _latest(github)
    assert httpx.get(f"{github.url}/api/v3{LATEST}").json() == _latest(github)
    assert httpx.get(f"{github.url}/repos/actions/runner/releases").json() == [_latest(github)]
    unknown = httpx.get(f"{tags}/v9.9.9")
    assert unknown.status_code == 404
    assert unknown.json()["message"] == "Not Found"
    assert httpx.get(f"{github.url}/nothing/here").status_code == 404


def test_answers_carry_the_rate_and_an_etag_that_spares_the_body(make: Make) -> None:
    github = make()
    answer = httpx.get(github.url + LATEST)
    assert answer.headers["X-RateLimit-Limit"] == "60"
    assert int(answer.headers["X-RateLimit-Reset"]) > 0
    again = httpx.get(github.url + LATEST, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("how", ["missing", "wrong"])
def test_digest_and_marker_can_be_missing_or_wrong_apart(
    make: Make, plain_archive: ArchiveOnDisk, how: Any
) -> None:
    right = plain_archive.sha256
    digest = _latest(make(GitHubOptions(digest=how)))
    marker = _latest(make(GitHubOptions(body_marker=how)))
    assert _marker(digest) == right
    assert _built(marker)["digest"] == f"sha256:{right}"
    if how == "missing":
        assert _built(digest)["digest"] is None
        assert _marker(marker) is None
    else:
        assert _built(digest)["digest"] != f"sha256:{right}"
        assert _marker(marker) not in (None, right)


def test_the_archive_appears_in_the_list_once_it_is_uploaded(make: Make) -> None:
    github = make(GitHubOptions(asset_missing_times=2))
    assert [_built(_latest(github)) is None for _ in range(3)] == [True, True, False]


def test_a_primary_rate_limit_says_when_it_is_over(make: Make) -> None:
    github = make(GitHubOptions(rate_limited_times=1, rate_limit_seconds=30))
    refused = httpx.get(github.url + LATEST)
    assert refused.status_code == 403
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "X-RateLimit-Reset" in refused.headers
    assert "rate limit" in refused.json()["message"]
    assert httpx.get(github.url + LATEST).status_code == 200


def test_a_secondary_rate_limit_says_how_long_to_wait(make: Make) -> None:
    github = make(GitHubOptions(rate_limited_times=1, rate_limit_status=429))
    refused = httpx.get(github.url + LATEST)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_behaviour_can_change_while_it_runs(make: Make) -> None:
    github = make()
    github.behave(GitHubOptions(asset_missing_times=1))
    assert _built(_latest(github)) is None


def test_a_valid_token_registers_a_runner(make: Make) -> None:
    github = make()
    token = github.issue_registration_token()
    answer = httpx.post(
        github.url + REGISTRATION,
        headers={"Authorization": f"RemoteAuth {token}"},
        json={"url": f"{github.url}/o/r", "name": "runner-1", "labels": "linux,x64"},
    )
    assert answer.status_code == 200
    assert answer.json()["token"]
    assert github.runners == [RegisteredRunner("runner-1", ("linux", "x64"), f"{github.url}/o/r")]


@pytest.mark.parametrize("authorization", ["RemoteAuth expired", "Bearer x", ""])
def test_an_unknown_token_is_not_found_rather_than_refused(make: Make, authorization: str) -> None:
    github = make()
    answer = httpx.post(
        github.url + REGISTRATION, headers={"Authorization": authorization}, json={}
    )
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")
    assert github.runners == []


def test_registration_can_be_made_to_fail(make: Make) -> None:
    github = make()
    token = {"Authorization": f"RemoteAuth {github.issue_registration_token()}"}
    github.faults.fail("github", "RegisterRunner", times=1, status=500, code="Server Error")
    answers = [httpx.post(github.url + REGISTRATION, headers=token, json={}) for _ in range(2)]
    assert [a.status_code for a in answers] == [500, 200]
    assert [c.status for c in github.calls] == [500, 200]


def test_conclusions_are_remembered(make: Make) -> None:
    github = make()
    told = {"job": "build", "conclusion": "failure"}
    assert httpx.post(f"{github.url}/_standin/conclusions", json=told).status_code == 204
    assert github.conclusions == [told]
