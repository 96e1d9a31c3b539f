"""SSM over real HTTP: one with faults to order, and ones that answer as no SSM would."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from werkzeug.wrappers import Request, Response

from agent.localcloud.account import OperatorClients
from agent.localcloud.aws import AwsServer
from agent.localcloud.server import HttpServer
from agent.parameters.ssm import Parameters

REGION = "eu-central-1"
PREFIX = "/runs-fleet/runners"
INSTANCE = "i-0123456789abcdef0"
CONFIG, CREDENTIAL = f"{PREFIX}/{INSTANCE}/config", f"{PREFIX}/{INSTANCE}/credential"
SECRET = "A-REGISTRATION-TOKEN"
GOOD = {"repo": "octo/hello", "run_id": "1", "jit_token": SECRET, "labels": ["linux"]}

Answering = Callable[[Response], str]
ParametersAt = Callable[..., Parameters]


class Store:
    """The SSM of one account: the agent's parameters in it, and what an onlooker puts there and finds."""

    def __init__(self, server: AwsServer, parameters: Parameters, onlooker: Any) -> None:
        self.faults = server.faults
        self.parameters = parameters
        self._server = server
        self._onlooker = onlooker
        self._before = len(server.calls)

    def put(self, name: str, value: object, kind: str = "SecureString") -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self._onlooker.put_parameter(Name=name, Value=text, Type=kind, Overwrite=True)

    def names(self) -> list[str]:
        found = self._onlooker.get_parameters_by_path(Path=PREFIX, Recursive=True)
        return sorted(each["Name"] for each in found["Parameters"])

    def empty(self) -> None:
        for name in self.names():
            self._onlooker.delete_parameter(Name=name)

    def calls(self) -> list[tuple[str, int]]:
        """Operation and status of the agent's calls in this test."""
        return [(each.operation, each.status) for each in self._server.calls[self._before :]]


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def onlooker(server: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    nowhere = tmp_path_factory.mktemp("aws") / "none"
    return OperatorClients(server.url, REGION, nowhere).client("ssm")


@pytest.fixture(scope="module")
def parameters_at() -> ParametersAt:
    """Through SSM clients that try once, so that each fault shows."""
    session = boto3.session.Session("AGENT", "secret", region_name=REGION)

    @cache
    def client(url: str, read_timeout: float) -> Any:
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=0.5,
            read_timeout=read_timeout,
            proxies={},
        )
        return session.client("ssm", endpoint_url=url, config=config)

    def make(url: str, read_timeout: float = 10.0) -> Parameters:
        return Parameters(client(url, read_timeout), PREFIX, INSTANCE)

    return make


@pytest.fixture
def store(server: AwsServer, onlooker: Any, parameters_at: ParametersAt) -> Iterator[Store]:
    store = Store(server, parameters_at(server.url), onlooker)
    yield store
    store.faults.clear()
    store.empty()


@pytest.fixture(scope="module")
def answering() -> Iterator[Answering]:
    """Gives one answer to everything until told another; returns the address."""
    answers: list[Response] = []
    server = HttpServer(Request.application(lambda _: answers[-1]), name="odd-server")
    server.start()

    def start(answer: Response) -> str:
        answers.append(answer)
        return server.url

    yield start
    server.stop()
