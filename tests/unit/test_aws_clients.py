"""boto3 clients against real HTTP: an IMDS that gives other credentials later, and an AWS that takes only those."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from werkzeug import Request, Response

from agent.aws import Clients
from agent.localcloud.imds import Imds
from agent.localcloud.server import HttpServer


class Aws:
    """Takes calls that are signed with one access key id; any other has expired."""

    def __init__(self) -> None:
        self.takes = ""
        self.refused: list[str] = []
        self.taken: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        signed = Request(environ).headers["Authorization"]
        operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
        if f"Credential={self.takes}/" in signed:
            self.taken.append(operation)
            return Response("{}", mimetype="application/x-amz-json-1.1")(environ, start_response)
        self.refused.append(operation)
        said = '{"__type": "ExpiredTokenException", "message": "The security token is expired"}'
        answer = Response(said, 400, mimetype="application/x-amz-json-1.1")
        return answer(environ, start_response)


@pytest.fixture
def imds() -> Iterator[Imds]:
    service = Imds(instance_id="i-1", region="eu-central-1")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def aws(imds: Imds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    server = HttpServer(aws, name="expiring")
    server.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield aws
    server.stop()


def test_a_call_that_an_expired_token_was_refused_for_is_made_again_with_the_roles_new_one(
    imds: Imds, aws: Aws
) -> None:
    clients = Clients("eu-central-1")
    logs = clients.late("logs")
    aws.takes = imds.renew_credentials()
    logs.create_log_group(logGroupName="before")
    aws.takes = imds.renew_credentials()
    logs.create_log_group(logGroupName="after")
    clients.get("ssm").get_parameter(Name="/a")
    logs.create_log_group(logGroupName="later")
    assert aws.taken == [*["CreateLogGroup"] * 2, "GetParameter", "CreateLogGroup"]
    assert aws.refused == ["CreateLogGroup"]


def test_a_client_that_somebody_kept_renews_its_token_too(imds: Imds, aws: Aws) -> None:
    kept = Clients("eu-central-1").get("ssm")
    aws.takes = imds.renew_credentials()
    kept.get_parameter(Name="/a")
    aws.takes = imds.renew_credentials()
    kept.get_parameter(Name="/a")
    assert aws.taken == ["GetParameter"] * 2


def test_a_role_whose_new_token_is_no_better_is_tried_once(imds: Imds, aws: Aws) -> None:
    logs = Clients("eu-central-1").late("logs")
    aws.takes = "NOBODY"
    imds.renew_credentials()
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        logs.create_log_group(logGroupName="never")
    assert aws.refused == ["CreateLogGroup"] * 2


def test_keys_out_of_the_environment_have_no_successor(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        Clients("eu-central-1").get("logs").create_log_group(logGroupName="never")
    assert aws.refused == ["CreateLogGroup"]
