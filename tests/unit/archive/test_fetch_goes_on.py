"""Transfers that break and go on where they broke."""

import http.server

import httpx
import pytest

from agent.archive.fetch import open_url
from agent.errors import DownloadError
from tests.unit.archive.http_source import DATA, Answer, Source, answers, fetched


def breaking(etags: list[str], piece: int = 100_000) -> Answer:
    """Serves ranges of DATA, `piece` bytes an answer, each under the next of the tags; the last one stays."""

    def give(request: http.server.BaseHTTPRequestHandler) -> None:
        etag = etags.pop(0) if len(etags) > 1 else etags[0]
        asked = request.headers.get("Range")
        same = asked is not None and request.headers.get("If-Range") == etag
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if same else {}
        request.send_response(206 if same else 200)
        for name, value in {"ETag": etag, "Content-Length": str(len(DATA) - start), **span}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(DATA[start : start + piece])

    return give


def test_a_transfer_that_breaks_goes_on_where_it_broke(
    source: Source, client: httpx.Client
) -> None:
    source.paths["/a"] = breaking(['"one"'])
    assert fetched(client, f"{source.url}/a") == DATA
    assert [asked.get("range") for asked in source.asked] == [
        None,
        "bytes=100000-",
        "bytes=200000-",
    ]
    assert {asked.get("if-range") for asked in source.asked[1:]} == {'"one"'}


def test_two_versions_of_an_archive_are_never_joined(source: Source, client: httpx.Client) -> None:
    source.paths["/a"] = breaking(['"one"', '"two"'])
    with pytest.raises(DownloadError, match="after 100000 of 256000 bytes") as caught:
        fetched(client, f"{source.url}/a")
    assert caught.value.transient
    assert len(source.asked) == 2


def test_a_weak_tag_says_too_little_to_go_on(source: Source, client: httpx.Client) -> None:
    source.paths["/a"] = breaking(['W/"one"'])
    with pytest.raises(DownloadError, match="after 100000 of 256000 bytes"):
        fetched(client, f"{source.url}/a")
    assert len(source.asked) == 1


def test_a_server_in_trouble_is_asked_again_with_growing_pauses(
    source: Source, client: httpx.Client
) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        source.paths["/a"] = answers(503) if len(pauses) < 3 else breaking(['"one"'])
        return False

    source.paths["/a"] = breaking(['"one"'])
    with open_url(client, f"{source.url}/a", expected_size=None, wait=wait) as stream:
        assert b"".join(stream.chunks) == DATA
    assert pauses == [0.5, 1.0, 2.0, 0.5]


def test_a_server_that_stays_in_trouble_is_given_up(source: Source, client: httpx.Client) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        source.paths["/a"] = answers(503)
        return False

    source.paths["/a"] = breaking(['"one"'])
    with (
        open_url(client, f"{source.url}/a", expected_size=None, wait=wait) as stream,
        pytest.raises(DownloadError, match="after 100000 of 256000 bytes: HTTPStatusError"),
    ):
        list(stream.chunks)
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_stop_ends_the_tries(source: Source, client: httpx.Client) -> None:
    source.paths["/a"] = breaking(['"one"'])
    with (
        open_url(client, f"{source.url}/a", expected_size=None, wait=lambda _: True) as stream,
        pytest.raises(DownloadError),
    ):
        list(stream.chunks)
    assert len(source.asked) == 1
