import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agent.localcloud.github import GitHub
from agent.localcloud.github_releases import ArchiveOnDisk, GitHubOptions


@pytest.fixture(scope="module")
def github(plain_archive: ArchiveOnDisk) -> Iterator[GitHub]:
    github = GitHub(plain_archive)
    github.start()
    yield github
    github.stop()


@pytest.fixture
def link(github: GitHub, plain_archive: ArchiveOnDisk) -> str:
    github.behave(GitHubOptions())
    return f"{github.url}/actions/runner/releases/download/v2.336.0/{plain_archive.name}"


def _get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, follow_redirects=True)


def test_a_download_link_leads_to_another_host_and_its_bytes_have_the_published_digest(
    link: str, plain_archive: ArchiveOnDisk
) -> None:
    redirect = httpx.get(link)
    assert redirect.status_code == 302
    assert httpx.URL(redirect.headers["Location"]).port != httpx.URL(link).port
    answer = _get(link)
    assert int(answer.headers["Content-Length"]) == plain_archive.size
    assert hashlib.sha256(answer.content).hexdigest() == plain_archive.sha256


def test_only_the_archive_that_was_built_can_be_downloaded(link: str) -> None:
    assert httpx.get(link.replace("linux-x64", "win-x64")).status_code == 404
    assert httpx.get(link.replace("2.336.0", "2.335.0")).status_code == 404


def test_the_other_host_refuses_credentials(link: str) -> None:
    direct = httpx.get(link).headers["Location"]
    assert httpx.get(direct, headers={"Authorization": "Bearer x"}).status_code == 400
    # httpx drops them where the host changes.
    assert _get(link, Authorization="Bearer x").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=10-19", 10, 20), ("bytes=999990-", 999_990, 1_000_000), ("bytes=-5", 999_995, 10**6)],
)
def test_a_range_is_answered_in_part(
    link: str, plain_archive: ArchiveOnDisk, wanted: str, start: int, stop: int
) -> None:
    answer = _get(link, Range=wanted)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000000"
    assert answer.content == plain_archive.path.read_bytes()[start:stop]


def test_a_range_beyond_the_end_is_416(link: str) -> None:
    answer = _get(link, Range="bytes=1000000-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */1000000")


def test_a_range_of_another_edition_is_answered_whole(link: str) -> None:
    etag = _get(link).headers["ETag"]
    ranges = {"Range": "bytes=0-9"}
    assert _get(link, **ranges, **{"If-Range": etag}).status_code == 206
    assert _get(link, **ranges, **{"If-Range": '"other"'}).status_code == 200


def test_a_cut_download_ends_early_though_more_was_announced(github: GitHub, link: str) -> None:
    github.behave(GitHubOptions(truncate_at=400_000, truncate_times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        _get(link)
    assert len(_get(link).content) == 1_000_000


def test_downloads_fail_so_many_times(github: GitHub, link: str) -> None:
    github.behave(GitHubOptions(asset_status=500, asset_failures=2))
    assert [_get(link).status_code for _ in range(3)] == [500, 500, 200]


def test_other_bytes_can_be_served_under_the_announced_digest(
    github: GitHub, link: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"poison")
    github.behave(GitHubOptions(serve_instead=other))
    assert _get(link).content == b"poison"


def test_a_trickle_can_be_cut_off_by_the_client_and_the_server_lives(
    github: GitHub, link: str
) -> None:
    github.behave(GitHubOptions(bytes_per_second=10_000))
    with httpx.stream("GET", link, follow_redirects=True) as answer:
        assert len(next(answer.iter_raw())) <= 2_000
    github.behave(GitHubOptions())
    assert _get(link).status_code == 200


def test_a_trickle_ends_when_the_server_stops(plain_archive: ArchiveOnDisk) -> None:
    github = GitHub(plain_archive, GitHubOptions(bytes_per_second=1_000))
    github.start()
    name = plain_archive.name
    url = f"{github.url}/actions/runner/releases/download/v2.336.0/{name}"
    with httpx.stream("GET", url, follow_redirects=True) as answer:
        chunks = answer.iter_raw()
        next(chunks)
        github.stop()
        with pytest.raises(httpx.TransportError):
            for _ in chunks:
                pass
