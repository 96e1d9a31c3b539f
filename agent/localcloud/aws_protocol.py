"""What an AWS request asks for, and what an AWS error looks like, in each of the wire protocols."""

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from agent.localcloud.faults import Fault

QUERY_SERVICES = frozenset({"sts", "iam"})
_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/[^/]+/([^/]+)/aws4_request")
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"
_S3_SUBRESOURCES = {
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "uploadId"): "ListParts",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("PUT", "uploadId"): "UploadPart",
    ("PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
_S3_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_S3_BUCKET = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
}


class AwsResponse(Response):
    """Adds no content type of its own: botocore reads meaning into it."""

    default_mimetype = None


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """One call, as far as the middleware cares.

    Attributes:
        service: the signing name; empty for an unsigned request.
        operation: the API's name for it; empty where none can be told.
        access_key: who signed it.
        body: the decoded JSON or form parameters; empty for S3, whose bodies are not read here.
    """

    service: str
    operation: str
    access_key: str
    method: str
    body: dict[str, Any]

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """The EC2 instances that the call names."""
        named = (v for k, v in self.body.items() if k.startswith("InstanceId."))
        return tuple(str(value) for value in named)


def read_request(environ: dict[str, Any]) -> AwsRequest:
    """Reads what is needed and leaves the request as it was for the application behind."""
    request = Request(environ)
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    access_key, service = scope.groups() if scope else ("", "")
    if service in ("", "s3"):
        return AwsRequest(service, _s3_operation(request), access_key, request.method, {})
    body = _body(environ, request)
    target = request.headers.get("X-Amz-Target", "")
    operation = target.rpartition(".")[2] or str(body.get("Action", ""))
    return AwsRequest(service, operation, access_key, request.method, body)


def error_response(request: AwsRequest, status: int, code: str, message: str) -> AwsResponse:
    """The error that botocore reads as `code` for this service."""
    if request.service == "s3":
        body = "" if request.method == "HEAD" else _s3_error(code, message)
        return AwsResponse(body, status, {"x-amz-request-id": _REQUEST_ID}, "application/xml")
    if request.service == "ec2":
        return AwsResponse(_ec2_error(code, message), status, mimetype="text/xml")
    if request.service in QUERY_SERVICES:
        return AwsResponse(_query_error(code, message), status, mimetype="text/xml")
    headers = Headers({"x-amzn-requestid": _REQUEST_ID})
    if request.service == "sqs":
        # SQS still carries the code of its old query protocol beside the JSON one's.
        headers["x-amzn-query-error"] = f"{code};{_side(status)}"
    body = json.dumps({"__type": code, "message": message})
    return AwsResponse(body, status, headers, content_type="application/x-amz-json-1.1")


def fault_response(request: AwsRequest, fault: Fault) -> AwsResponse:
    """The error of a fault to order."""
    status = fault.status or 500
    return error_response(request, status, fault.code, f"{fault.code}, as ordered")


def _body(environ: dict[str, Any], request: Request) -> dict[str, Any]:
    raw = request.get_data(cache=False)
    environ["wsgi.input"] = io.BytesIO(raw)
    environ["CONTENT_LENGTH"] = str(len(raw))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if request.mimetype == "application/x-www-form-urlencoded":
        again = Request({**environ, "wsgi.input": io.BytesIO(raw)})
        return dict(again.form.items())
    try:
        parsed = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _s3_operation(request: Request) -> str:
    for (method, parameter), operation in _S3_SUBRESOURCES.items():
        if request.method == method and parameter in request.args:
            return operation
    bucket, _, key = request.path.strip("/").partition("/")
    if key:
        copied = request.method == "PUT" and "X-Amz-Copy-Source" in request.headers
        return "CopyObject" if copied else _S3_OBJECT.get(request.method, "")
    return _S3_BUCKET.get(request.method, "") if bucket else "ListBuckets"


def _side(status: int) -> str:
    return "Receiver" if status >= 500 else "Sender"  # noqa: PLR2004


def _s3_error(code: str, message: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{_REQUEST_ID}</RequestId></Error>"
    )


def _ec2_error(code: str, message: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
    )


def _query_error(code: str, message: str) -> str:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(message)}</Message></Error>"
        f"<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    )
