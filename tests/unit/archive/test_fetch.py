"""Transfers from a small server over real HTTP, with the ways in which they break."""

import http.server
import threading

import httpx
import pytest

from agent.archive.fetch import LARGEST_REFUSAL_BYTES, open_url
from agent.errors import DownloadError, ReleaseError
from tests.unit.archive.http_source import DATA, Source, answers, at_once, fetched


def test_the_bytes_come_as_they_are_and_the_size_is_known(
    source: Source, client: httpx.Client
) -> None:
    source.paths["/a"] = answers(200, DATA, Content_Encoding="gzip")
    with open_url(client, f"{source.url}/a", expected_size=len(DATA), wait=at_once) as stream:
        assert stream.size == len(DATA)
        assert b"".join(stream.chunks) == DATA
    assert source.asked[0]["accept-encoding"] == "identity"


def test_redirects_are_followed_as_github_makes_them(source: Source, client: httpx.Client) -> None:
    source.paths["/a"] = answers(302, Location="/b")
    source.paths["/b"] = answers(200, DATA)
    assert fetched(client, f"{source.url}/a") == DATA


def test_redirects_without_end_are_an_error(source: Source, client: httpx.Client) -> None:
    source.paths["/a"] = answers(302, Location="/a")
    with pytest.raises(DownloadError, match="TooManyRedirects"):
        fetched(client, f"{source.url}/a")


def test_not_found_is_final_and_says_how_much_came(source: Source, client: httpx.Client) -> None:
    with pytest.raises(ReleaseError, match="404 and 9 bytes") as caught:
        fetched(client, f"{source.url}/gone")
    assert not caught.value.transient


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_is_transient(source: Source, client: httpx.Client, status: int) -> None:
    source.paths["/a"] = answers(status, b"sorry")
    with pytest.raises(DownloadError, match=f"{status} and 5 bytes") as caught:
        fetched(client, f"{source.url}/a")
    assert caught.value.transient


@pytest.mark.parametrize("status", [401, 403, 206])
def test_a_refusal_is_final(source: Source, client: httpx.Client, status: int) -> None:
    source.paths["/a"] = answers(status, b"sorry")
    with pytest.raises(DownloadError, match=f"{status} and 5 bytes") as caught:
        fetched(client, f"{source.url}/a")
    assert not caught.value.transient


@pytest.mark.parametrize("status", [403, 429])
def test_a_wish_for_a_pause_is_handed_on(source: Source, client: httpx.Client, status: int) -> None:
    source.paths["/a"] = answers(status, Retry_After="30")
    with pytest.raises(DownloadError) as caught:
        fetched(client, f"{source.url}/a")
    assert caught.value.retry_after_seconds == 30


def test_an_endless_refusal_is_not_read_to_its_end(source: Source, client: httpx.Client) -> None:
    def endless(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(500)
        request.end_headers()
        try:
            while True:
                request.wfile.write(bytes(64 * 1024))
        except OSError:
            return

    source.paths["/a"] = endless
    with pytest.raises(DownloadError, match=f"more than {LARGEST_REFUSAL_BYTES} bytes"):
        fetched(client, f"{source.url}/a")


def test_another_size_than_githubs_is_refused_before_a_byte_is_read(
    source: Source, client: httpx.Client
) -> None:
    source.paths["/a"] = answers(200, DATA)
    with pytest.raises(DownloadError, match=f"announces {len(DATA)} bytes, GitHub's API 7"):
        fetched(client, f"{source.url}/a", expected_size=7)


def test_a_transfer_that_breaks_names_what_came_and_what_was_to_come(
    source: Source, client: httpx.Client
) -> None:
    source.paths["/a"] = answers(200, DATA[:1000], Content_Length=str(len(DATA)))
    with pytest.raises(DownloadError, match=f"after 1000 of {len(DATA)} bytes") as caught:
        fetched(client, f"{source.url}/a")
    assert caught.value.transient


def test_a_body_of_no_announced_length_is_held_against_the_expected_one(
    source: Source, client: httpx.Client
) -> None:
    def unannounced(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(DATA[:1000])

    source.paths["/a"] = unannounced
    assert fetched(client, f"{source.url}/a") == DATA[:1000]
    with pytest.raises(DownloadError, match=f"ended after 1000 of {len(DATA)} bytes"):
        fetched(client, f"{source.url}/a", expected_size=len(DATA))


def test_a_silent_source_is_given_up(source: Source) -> None:
    over = threading.Event()

    def silent(request: http.server.BaseHTTPRequestHandler) -> None:
        answers(200, b"x", Content_Length="2")(request)
        over.wait(10)

    source.paths["/a"] = silent
    with (
        httpx.Client(timeout=0.2, trust_env=False) as client,
        pytest.raises(DownloadError, match="ReadTimeout") as caught,
    ):
        fetched(client, f"{source.url}/a")
    over.set()
    assert caught.value.transient


def test_a_trickle_is_handed_on_as_it_comes(source: Source, client: httpx.Client) -> None:
    taken = threading.Event()

    def trickle(request: http.server.BaseHTTPRequestHandler) -> None:
        answers(200, b"x", Content_Length="2")(request)
        assert taken.wait(10)
        request.wfile.write(b"y")

    source.paths["/a"] = trickle
    with open_url(client, f"{source.url}/a", expected_size=2, wait=at_once) as stream:
        assert next(stream.chunks) == b"x"
        taken.set()
        assert list(stream.chunks) == [b"y"]


def test_a_source_that_is_not_there_is_transient(client: httpx.Client) -> None:
    with pytest.raises(DownloadError, match="ConnectError") as caught:
        fetched(client, "http://127.0.0.1:9/a")
    assert caught.value.transient


@pytest.mark.parametrize("url", ["https://ex\x00ample/", "http://a:b:c/"])
def test_an_address_that_is_none_is_an_error_like_any_other(client: httpx.Client, url: str) -> None:
    with pytest.raises(ReleaseError, match="no address"):
        fetched(client, url)
