"""The archive over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from agent.archive_stream import ArchiveStream
from agent.errors import DownloadError, ReleaseError

CHUNK_BYTES = 256 * 1024


@contextmanager
def open_url(
    client: httpx.Client, url: str, *, expected_size: int | None
) -> Iterator[ArchiveStream]:
    """Begins the transfer; leaving the block ends it.

    The status is looked at before a single byte is taken for an archive's: a digest that does not fit may be nine bytes of
    "Not Found".

    Raises:
        ReleaseError: 404.
        DownloadError: anything else but 200, another size than announced, a broken transfer.
    """
    try:
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
            _check(answer, url, expected_size)
            size = _announced(answer) or expected_size
            yield ArchiveStream(_chunks(answer, url, size), size)
    except httpx.HTTPError as exc:
        raise _broken(url, exc) from exc


def _check(answer: httpx.Response, url: str, expected_size: int | None) -> None:
    if answer.status_code != httpx.codes.OK:
        got = len(answer.read()) if (_announced(answer) or 0) < CHUNK_BYTES else "many"
        text = f"{url} answers {answer.status_code} and {got} bytes"
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


def _chunks(answer: httpx.Response, url: str, size: int | None) -> Iterator[bytes]:
    got = 0
    try:
        for chunk in answer.iter_raw(CHUNK_BYTES):
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
