"""One loopback server a module: it is an IMDS, or answers as neither IMDS nor AWS would."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from werkzeug.wrappers import Request, Response

from agent.instance.imds import Metadata
from agent.localcloud.imds import Imds
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

INSTANCE = "i-0123456789abcdef0"

Serve = Callable[[Callable[[Request], Response]], str]
MetadataAt = Callable[..., Metadata]
Ec2At = Callable[..., Any]


class Front:
    """Hands each request to whoever is behind it in this test: a server takes long to stop."""

    def __init__(self) -> None:
        self.behind: WSGIApplication = Response("nobody", 503)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self.behind(environ, start_response)


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Front, str]]:
    front = Front()
    server = HttpServer(front, name="front")
    server.start()
    yield front, server.url
    server.stop()


@pytest.fixture
def here(front: tuple[Front, str]) -> str:
    """The server's address."""
    return front[1]


@pytest.fixture
def imds(front: tuple[Front, str]) -> Iterator[Imds]:
    """An IMDS of this test's own, at `here`."""
    imds = front[0].behind = Imds(instance_id=INSTANCE, region="eu-central-1")
    yield imds
    imds.faults.clear()


@pytest.fixture
def serve(front: tuple[Front, str]) -> Serve:
    """Has a function answer at `here`; returns that."""

    def start(answer: Callable[[Request], Response]) -> str:
        front[0].behind = Request.application(answer)
        return front[1]

    return start


@pytest.fixture
def metadata_at() -> Iterator[MetadataAt]:
    """Makes what reads IMDS at an address, with the patience of a test."""
    with ExitStack() as stack:

        def make(url: str, *, timeout_seconds: float = 5.0) -> Metadata:
            metadata = Metadata(url, timeout_seconds=timeout_seconds)
            stack.callback(metadata.close)
            return metadata

        yield make


@pytest.fixture
def metadata(here: str, metadata_at: MetadataAt) -> Metadata:
    return metadata_at(here)


@pytest.fixture(scope="module")
def ec2_at() -> Ec2At:
    """EC2 clients that try once, so that each fault shows."""
    session = boto3.session.Session("AGENT", "secret", region_name="eu-central-1")

    @cache
    def make(url: str, read_timeout: float = 10.0) -> Any:
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=0.5,
            read_timeout=read_timeout,
            proxies={},
        )
        return session.client("ec2", endpoint_url=url, config=config)

    return make
