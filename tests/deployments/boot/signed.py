"""AWS that takes no call from curl whose signature is not the one that botocore computes."""

import io
import re
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCOPE = re.compile(
    r"Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class SignedOnly:
    """In front of an AWS; the agent's own calls, which botocore signs itself, go through unseen.

    Attributes:
        calls: how many came from curl.
        refused: why, for each of them that was turned away.
    """

    def __init__(self, aws: "WSGIApplication", *, secret: str, token: str) -> None:
        self._aws = aws
        self._secret = secret
        self._token = token
        self.calls = 0
        self.refused: list[str] = []

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        request = Request(environ)
        if "curl" in request.headers.get("User-Agent", ""):
            self.calls += 1
            body = request.get_data(cache=False)
            environ["wsgi.input"] = io.BytesIO(body)
            if (wrong := self._wrong(request, body)) is not None:
                self.refused.append(wrong)
                return Response(wrong, 403)(environ, start_response)
        return self._aws(environ, start_response)

    def _wrong(self, request: Request, body: bytes) -> str | None:
        scope = SCOPE.search(request.headers.get("Authorization", ""))
        if scope is None:
            return "not signed"
        names = scope["headers"].split(";")
        if request.headers.get("X-Amz-Security-Token") != self._token:
            return "another session token than the role's"
        wanted = {"host", "x-amz-date", "x-amz-security-token"}
        wanted |= {"x-amz-content-sha256"} if scope["service"] == "s3" else set()
        if not wanted <= set(names):
            return f"not among the signed headers: {wanted - set(names)}"
        signature = self._signature(request, body, names, scope)
        return None if signature == scope["signature"] else f"the signature of {request.url}"

    def _signature(
        self, request: Request, body: bytes, names: list[str], scope: "re.Match[str]"
    ) -> str:
        credentials = Credentials(scope["key"], self._secret, self._token)
        kind: Any = S3SigV4Auth if scope["service"] == "s3" else SigV4Auth
        auth = kind(credentials, scope["service"], scope["region"])
        signed = AWSRequest(
            request.method,
            f"http://{request.host}{request.environ['RAW_URI']}",
            headers={name: request.headers[name] for name in names},
            data=body,
        )
        signed.context["timestamp"] = request.headers["X-Amz-Date"]
        return str(
            auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
        )
