"""The archive over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from agent.archive_stream import ArchiveStream
from agent.errors import DownloadError, ReleaseError

LARGEST_REFUSAL_BYTES = 64 * 1024
"""As much of an error's body is counted, at most."""


@contextmanager
def open_url(
    client: httpx.Client, url: str, *, expected_size: int | None
) -> Iterator[ArchiveStream]:
    """Begins the transfer; leaving the block ends it.

    The status is looked at before a single byte is taken for an archive's: a digest that does not fit may be nine bytes of
    "Not Found".

    Raises:
        ReleaseError: 404; an address that is none.
        DownloadError: anything else but 200, another size than announced, a broken transfer.
    """
    plain = {"Accept-Encoding": "identity"}
    try:
        with client.stream("GET", url, headers=plain, follow_redirects=True) as answer:
            _check(answer, url, expected_size)
            size = _announced(answer) or expected_size
            yield ArchiveStream(_chunks(answer, url, size), size)
    except httpx.HTTPError as exc:
        raise _broken(url, exc) from exc
    except httpx.InvalidURL as exc:
        raise ReleaseError(
            f"{url!r} is no address: {exc}", mend="check RUNS_FLEET_GITHUB_URL and the proxy"
        ) from exc


def _check(answer: httpx.Response, url: str, expected_size: int | None) -> None:
    if answer.status_code != httpx.codes.OK:
        text = f"{url} answers {answer.status_code} and {_size_of_refusal(answer)} bytes"
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise ReleaseError(text, mend="set RUNS_FLEET_RUNNER_VERSION to a version that exists")
        again = answer.headers.get("Retry-After", "")
        raise DownloadError(
            text,
            mend="GitHub's status page; or fill the cache",
            transient=answer.status_code
            in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT)
            or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR,
            retry_after_seconds=float(again) if again.isdecimal() else None,
        )
    announced = _announced(answer)
    if None not in (announced, expected_size) and announced != expected_size:
        raise DownloadError(
            f"{url} announces {announced} bytes, GitHub's API {expected_size}",
            mend="check the proxy in between",
        )


def _size_of_refusal(answer: httpx.Response) -> str:
    got = 0
    for chunk in answer.iter_raw():
        got += len(chunk)
        if got > LARGEST_REFUSAL_BYTES:
            return f"more than {LARGEST_REFUSAL_BYTES}"
    return str(got)


def _chunks(answer: httpx.Response, url: str, size: int | None) -> Iterator[bytes]:
    got = 0
    try:
        # As they arrive: waiting for chunks of a given size would keep a slow trickle from seeing a stop.
        for chunk in answer.iter_raw():
            got += len(chunk)
            yield chunk
    except httpx.HTTPError as exc:
        raise _broken(url, exc, got, size) from exc
    if size is not None and got != size:
        raise DownloadError(
            f"{url} ended after {got} of {size} bytes", mend="check the way to GitHub"
        )


def _broken(url: str, exc: httpx.HTTPError, got: int = 0, size: int | None = None) -> DownloadError:
    of = f" of {size}" if size is not None else ""
    return DownloadError(
        f"the transfer of {url} broke after {got}{of} bytes: {type(exc).__name__} {exc}",
        mend="check the subnet's way to GitHub; or fill the cache",
    )


def _announced(answer: httpx.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None
