"""What the agent asks IMDS, over real HTTP: version 2 only, one token, little time, and None for every trouble."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.wrappers import Request, Response

from agent.instance.imds import Identity, Metadata
from agent.localcloud.faults import BlackHole
from agent.localcloud.imds import Imds
from tests.unit.instance.conftest import INSTANCE, MetadataAt, Serve

ID_PATH = "meta-data/instance-id"
NOWHERE = "http://127.0.0.1:9"


def asked(imds: Imds) -> list[tuple[str, int]]:
    """Path and status of each call."""
    return [(call.operation, call.status) for call in imds.calls]


def timed(call: Callable[[], str | None]) -> tuple[str | None, float]:
    """What came and how many seconds it took."""
    began = time.monotonic()
    return call(), time.monotonic() - began


def test_id_and_region_are_read_with_one_token(imds: Imds, metadata: Metadata) -> None:
    assert (metadata.instance_id(), metadata.region()) == (INSTANCE, "eu-central-1")
    region = ("meta-data/placement/region", 200)
    assert asked(imds) == [("api/token", 200), (ID_PATH, 200), region]


@pytest.mark.usefixtures("imds")
def test_account_type_and_zone_are_read_from_the_identity_document(metadata: Metadata) -> None:
    assert metadata.identity() == Identity("123456789012", "c7i.large", "eu-central-1a")


@pytest.mark.parametrize(
    ("answer", "identity"),
    [
        ("<html>sign in</html>", None),
        ("[]", None),
        ("{}", Identity("", "", "")),
        ('{"accountId": "no number", "instanceType": "<b>", "availabilityZone": 7}', Identity("", "", "7")),
    ],
)  # fmt: skip
def test_whatever_else_stands_there_is_no_identity(
    answer: str, identity: Identity | None, serve: Serve, metadata_at: MetadataAt
) -> None:
    url = serve(lambda request: Response("token" if request.method == "PUT" else answer))
    assert metadata_at(url).identity() == identity


def test_nothing_is_asked_before_something_is_wanted(
    imds: Imds, here: str, metadata_at: MetadataAt
) -> None:
    metadata_at(here)
    assert not imds.record.wait_for("imds", "api/token", seconds=0.05)


def test_a_slash_at_the_end_of_the_endpoint_does_no_harm(
    imds: Imds, here: str, metadata_at: MetadataAt
) -> None:
    assert metadata_at(f"{here}/").instance_id() == INSTANCE


def test_threads_that_ask_at_once_share_one_token(imds: Imds, metadata: Metadata) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: metadata.instance_id(), range(16)))
    assert answers == [INSTANCE] * 16
    assert asked(imds).count(("api/token", 200)) == 1


def test_link_local_traffic_goes_past_a_proxy(
    imds: Imds, here: str, metadata_at: MetadataAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert metadata_at(here).instance_id() == INSTANCE


def test_an_expired_token_is_renewed_and_the_question_asked_again(
    imds: Imds, metadata: Metadata
) -> None:
    metadata.instance_id()
    imds.forget_tokens()
    assert metadata.instance_id() == INSTANCE
    assert asked(imds)[2:] == [(ID_PATH, 401), ("api/token", 200), (ID_PATH, 200)]


def test_a_token_that_is_never_taken_is_renewed_once_and_no_more(
    imds: Imds, metadata: Metadata
) -> None:
    imds.faults.fail("imds", ID_PATH, status=401, code="Unauthorized")
    assert metadata.instance_id() is None
    assert asked(imds) == [("api/token", 200), (ID_PATH, 401)] * 2


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 503])
def test_without_a_token_nothing_is_asked(imds: Imds, metadata: Metadata, status: int) -> None:
    imds.faults.fail("imds", "api/token", status=status, code="no token for you")
    assert metadata.instance_id() is None
    assert asked(imds) == [("api/token", status)]


def test_an_imds_that_would_answer_without_a_token_is_not_asked_to(
    serve: Serve, metadata_at: MetadataAt
) -> None:
    methods: list[str] = []

    def version_1_only(request: Request) -> Response:
        methods.append(request.method)
        return Response(INSTANCE) if request.method == "GET" else Response(status=404)

    assert metadata_at(serve(version_1_only)).instance_id() is None
    assert methods == ["PUT"]


def test_every_question_carries_the_token_that_was_given(
    serve: Serve, metadata_at: MetadataAt
) -> None:
    def answer(request: Request) -> Response:
        if request.method == "PUT":
            return Response("the-token")
        return Response(request.headers.get("X-aws-ec2-metadata-token", "none"))

    assert metadata_at(serve(answer)).get("meta-data/any") == "the-token"


def test_a_path_that_imds_does_not_know_is_none(imds: Imds, metadata: Metadata) -> None:
    assert metadata.get("meta-data/no-such-thing") is None
    assert asked(imds)[-1] == ("meta-data/no-such-thing", 404)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_ill_imds_is_none_now_and_answers_once_it_is_well(
    imds: Imds, metadata: Metadata, status: int
) -> None:
    imds.faults.fail("imds", ID_PATH, times=1, status=status, code="ill")
    assert metadata.instance_id() is None
    assert metadata.instance_id() == INSTANCE
    assert asked(imds).count(("api/token", 200)) == 1


def test_a_connection_cut_without_an_answer_is_none(imds: Imds, metadata: Metadata) -> None:
    imds.faults.hang("imds", ID_PATH, seconds=0.0, times=1)
    assert metadata.instance_id() is None
    assert metadata.instance_id() == INSTANCE


def test_an_imds_that_is_not_there_is_none_at_once(metadata_at: MetadataAt) -> None:
    metadata = metadata_at(NOWHERE)
    answer, seconds = timed(lambda: metadata.instance_id() or metadata.region())
    assert answer is None
    assert seconds < 1
    assert metadata.spot_notice() is None
    assert not metadata.rebalance_recommended()


def test_a_port_that_never_says_a_word_is_none_after_the_timeout(metadata_at: MetadataAt) -> None:
    with BlackHole() as hole:
        metadata = metadata_at(hole.url, timeout_seconds=0.2)
        answer, seconds = timed(metadata.instance_id)
    assert answer is None
    assert 0.15 < seconds < 1.5


@pytest.mark.parametrize("where", ["api/token", ID_PATH])
def test_an_imds_that_hangs_is_none_after_the_timeout(
    imds: Imds, here: str, metadata_at: MetadataAt, where: str
) -> None:
    imds.faults.hang("imds", where)
    metadata = metadata_at(here, timeout_seconds=0.2)
    answer, seconds = timed(metadata.instance_id)
    assert answer is None
    assert 0.15 < seconds < 1.5
    imds.faults.clear()
    assert metadata.instance_id() == INSTANCE


@pytest.mark.parametrize("where", ["api/token", ID_PATH])
def test_an_imds_that_is_slow_but_in_time_is_heard(
    imds: Imds, here: str, metadata_at: MetadataAt, where: str
) -> None:
    imds.faults.slow("imds", where, seconds=0.1)
    assert metadata_at(here, timeout_seconds=2.0).instance_id() == INSTANCE


@pytest.mark.parametrize(
    "rubbish",
    [
        Response(INSTANCE, 204),
        Response(b"not gzip", 200, {"Content-Encoding": "gzip"}),
        Response([b"cut"], 200, {"Content-Length": "100"}),
    ],
    ids=["no-content", "broken-gzip", "cut-short"],
)
def test_an_answer_that_is_none_is_not_taken_for_one(
    serve: Serve, metadata_at: MetadataAt, rubbish: Response
) -> None:
    url = serve(lambda request: Response("token") if request.method == "PUT" else rubbish)
    assert metadata_at(url).instance_id() is None


def test_a_redirect_leads_nowhere(serve: Serve, metadata_at: MetadataAt) -> None:
    def answer(request: Request) -> Response:
        if request.path.startswith("/latest/meta-data"):
            return Response(status=302, headers={"Location": "/elsewhere"})
        return Response(INSTANCE)

    assert metadata_at(serve(answer)).instance_id() is None


@pytest.mark.parametrize("said", [b"\x00\xff\x00\xff\r\n\r\n", b"SSH-2.0-x\r\n", b""])
def test_something_that_does_not_speak_http_is_none(metadata_at: MetadataAt, said: bytes) -> None:
    def say(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=say, args=(listener,))
        server.start()
        metadata = metadata_at(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert metadata.instance_id() is None
        server.join(10)
    assert not server.is_alive()


def test_a_rubbish_token_is_forgotten(serve: Serve, metadata_at: MetadataAt) -> None:
    tokens = iter(["<html>\nplease wait\n</html>", "a-token"])

    def answer(request: Request) -> Response:
        return Response(next(tokens) if request.method == "PUT" else INSTANCE)

    metadata = metadata_at(serve(answer))
    assert metadata.instance_id() is None
    assert metadata.instance_id() == INSTANCE


def test_a_token_that_is_not_ascii_is_none(serve: Serve, metadata_at: MetadataAt) -> None:
    assert metadata_at(serve(lambda _: Response("täuschung"))).instance_id() is None


@pytest.mark.parametrize("text", ["", "<html>log in</html>", "i-"], ids=["empty", "html", "cut"])
def test_a_text_that_is_no_instance_id_is_none(
    serve: Serve, metadata_at: MetadataAt, text: str
) -> None:
    url = serve(lambda request: Response("token" if request.method == "PUT" else text))
    assert metadata_at(url).instance_id() is None


def test_an_answer_that_drips_is_given_up_in_time(serve: Serve, metadata_at: MetadataAt) -> None:
    over = threading.Event()

    def drops() -> Iterator[bytes]:
        for _ in range(14):
            over.wait(0.05)
            yield b"i"

    def answer(request: Request) -> Response:
        body: Iterable[bytes] = [b"token"] if request.method == "PUT" else drops()
        return Response(body)

    metadata = metadata_at(serve(answer), timeout_seconds=0.2)
    assert timed(metadata.instance_id)[1] < 0.5
