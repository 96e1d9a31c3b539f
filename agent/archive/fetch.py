"""The archive over HTTP: a transfer that breaks goes on where it broke, where the server can do that."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import httpx

from agent.archive_stream import ArchiveStream
from agent.errors import DownloadError, ReleaseError
from agent.events import warning

log = logging.getLogger(__name__)

LARGEST_REFUSAL_BYTES = 64 * 1024
"""As much of an error's body is counted, at most."""
PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Before each try to go on; after some progress they begin anew."""


@contextmanager
def open_url(
    client: httpx.Client,
    url: str,
    *,
    expected_size: int | None,
    wait: Callable[[float], bool],
) -> Iterator[ArchiveStream]:
    """Begins the transfer; leaving the block ends it.

    The status is looked at before a single byte is taken for an archive's: a digest that does not fit may be nine bytes of
    "Not Found".

    Args:
        client: with time-outs of its own.
        url: of the archive; redirects are followed.
        expected_size: in bytes, where it is known.
        wait: waits for some seconds; true when there is to be no further try.

    Raises:
        ReleaseError: 404; an address that is none.
        DownloadError: anything else but 200, another size than announced, a transfer that broke and could not go on.
    """
    with ExitStack() as answers:
        try:
            answer = answers.enter_context(_asked(client, url))
            _check(answer, url, expected_size)
        except httpx.HTTPError as exc:
            raise _broken(url, exc) from exc
        except httpx.InvalidURL as exc:
            raise ReleaseError(
                f"{url!r} is no address: {exc}", mend="check RUNS_FLEET_GITHUB_URL and the proxy"
            ) from exc
        size = _announced(answer) or expected_size

        def go_on(got: int, etag: str) -> httpx.Response:
            answers.close()
            return _rest(answers, client, url, got, etag)

        yield ArchiveStream(_chunks(answer, url, size, go_on, wait), size)


def _asked(
    client: httpx.Client, url: str, **headers: str
) -> AbstractContextManager[httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    plain = {"Accept-Encoding": "identity"}
    return client.stream("GET", url, headers=plain | named, follow_redirects=True)


class _Final(Exception):
    """The server has no more of this very archive to give."""


def _rest(
    answers: ExitStack, client: httpx.Client, url: str, got: int, etag: str
) -> httpx.Response:
    """The rest of the very same archive (RFC 9110, If-Range).

    Raises:
        _Final: the server gives anything else.
        httpx.HTTPError: it could not be asked, or is in trouble.
    """
    answer = answers.enter_context(_asked(client, url, Range=f"bytes={got}-", If_Range=etag))
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        raise httpx.HTTPStatusError(
            f"it answers {answer.status_code}", request=answer.request, response=answer
        )
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {got}-")
    if answer.status_code != httpx.codes.PARTIAL_CONTENT or not begins:
        raise _Final
    return answer


def _check(answer: httpx.Response, url: str, expected_size: int | None) -> None:
    if answer.status_code != httpx.codes.OK:
        text = f"{url} answers {answer.status_code} and {_size_of_refusal(answer)} bytes"
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise ReleaseError(text, mend="set RUNS_FLEET_RUNNER_VERSION to a version that exists")
        again = answer.headers.get("Retry-After", "")
        raise DownloadError(
            text,
            mend="look at https://www.githubstatus.com and launch again; a filled S3 cache needs no GitHub",
            transient=answer.status_code
            in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT)
            or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR,
            retry_after_seconds=float(again) if again.isdecimal() else None,
        )
    announced = _announced(answer)
    if None not in (announced, expected_size) and announced != expected_size:
        raise DownloadError(
            f"{url} announces {announced} bytes, GitHub's API {expected_size}",
            mend="check the proxy between this instance and GitHub",
        )


def _size_of_refusal(answer: httpx.Response) -> str:
    got = 0
    for chunk in answer.iter_raw():
        got += len(chunk)
        if got > LARGEST_REFUSAL_BYTES:
            return f"more than {LARGEST_REFUSAL_BYTES}"
    return str(got)


def _chunks(
    answer: httpx.Response,
    url: str,
    size: int | None,
    go_on: Callable[[int, str], httpx.Response],
    wait: Callable[[float], bool],
) -> Iterator[bytes]:
    got, etag, tries = 0, answer.headers.get("ETag", ""), 0
    can_go_on = etag.startswith('"') and size is not None
    trouble: DownloadError | None = None
    while True:
        try:
            source = answer if trouble is None else go_on(got, etag)
            # As they arrive: waiting for chunks of a given size would keep a slow trickle from seeing a stop.
            for chunk in source.iter_raw():
                got += len(chunk)
                tries = 0
                yield chunk
            trouble = _too_short(url, got, size)
            if trouble is None:
                return
        except _Final:
            can_go_on = False
        except httpx.HTTPError as exc:
            trouble = _broken(url, exc, got, size)
            trouble.__cause__ = exc
        if trouble is not None and (
            not (can_go_on and got) or tries == len(PAUSES_SECONDS) or wait(PAUSES_SECONDS[tries])
        ):
            raise trouble
        tries += 1
        warning(log, "download.goes_on", bytes=got, of=size, error=trouble)


def _too_short(url: str, got: int, size: int | None) -> DownloadError | None:
    if size is None or got == size:
        return None
    return DownloadError(f"{url} ended after {got} of {size} bytes", mend="check the way to GitHub")


def _broken(url: str, exc: httpx.HTTPError, got: int = 0, size: int | None = None) -> DownloadError:
    of = f" of {size}" if size is not None else ""
    return DownloadError(
        f"the transfer of {url} broke after {got}{of} bytes: {type(exc).__name__} {exc}",
        mend="check the subnet's way to GitHub; or fill the cache",
    )


def _announced(answer: httpx.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None
