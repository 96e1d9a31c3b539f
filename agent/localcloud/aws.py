"""AWS over real HTTP: moto's server behind limits it does not know, faults to order and a record."""

import json
import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.wrappers import Response

from agent.clock import Clock, SystemClock
from agent.localcloud.aws_limits import (
    FifoMemory,
    logs_violation,
    rejected_events,
    s3_violation,
)
from agent.localcloud.aws_protocol import (
    AwsRequest,
    AwsResponse,
    error_response,
    fault_response,
    read_request,
)
from agent.localcloud.calls import Call, CallRecord, attend
from agent.localcloud.faults import Faults
from agent.localcloud.server import HttpServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OPERATOR_KEY = "LOCALCLOUDOPERATOR"
"""The access key of whoever looks on: its calls meet no fault and are in no record."""
OK = 200
NO_AMIS = "MOTO_EC2_LOAD_DEFAULT_AMIS"
"""moto then leaves Amazon's images out, which nothing here asks for: with them each account takes half a second and 8 MB."""


class AwsServer:
    """One AWS account at `url`, empty at each start.

    moto keeps its state in module globals, so only one can be alive in a process.

    Attributes:
        faults: what is to go wrong; services `s3`, `ssm`, `sqs`, `logs`, `ec2`, `sts`.
        record: every call but the operator's.
    """

    _alive: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, *, faults: Faults | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.faults = faults or Faults(self._clock)
        self.record = CallRecord(self._clock)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._fifo = FifoMemory(self._clock)
        self._logs_lock = threading.Lock()
        self._server = HttpServer(self, name="localcloud-aws", handler=_Handler)
        self._started = False

    def start(self) -> None:
        """Forgets what an earlier one held, then serves.

        Raises:
            RuntimeError: another one is alive in this process.
            OSError: no port could be bound.
        """
        if not self._alive.acquire(blocking=False):
            raise RuntimeError("one AwsServer a process: moto's state is global; stop the other")
        try:
            os.environ.setdefault(NO_AMIS, "false")
            moto_api_backend.reset()
            self._server.start()
        except BaseException:
            self._alive.release()
            raise
        self._started = True

    def stop(self) -> None:
        """Lets go of waiting calls and frees the port. Harmless when it is not running."""
        if self._started:
            self._started = False
            self.faults.clear()
            try:
                self._server.stop()
            finally:
                self._alive.release()

    @property
    def url(self) -> str:
        """What `AWS_ENDPOINT_URL` is to be."""
        return self._server.url

    @property
    def calls(self) -> list[Call]:
        """Every answered call but the operator's, in the order in which they came in."""
        return self.record.all()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        """The WSGI application."""
        request = read_request(environ)
        if request.access_key == OPERATOR_KEY:
            return self._serve(request, environ)(environ, start_response)
        return self._recorded(request, environ)(environ, start_response)

    def _recorded(self, request: AwsRequest, environ: dict[str, Any]) -> Response:
        return attend(
            Call(request.service, request.operation, instance_ids=request.instance_ids),
            faults=self.faults,
            record=self.record,
            serve=lambda: self._serve(request, environ),
            fail=lambda fault: fault_response(request, fault),
        )

    def _serve(self, request: AwsRequest, environ: dict[str, Any]) -> Response:
        if request.service == "logs":
            with self._logs_lock:  # moto's log streams are not safe for threads
                return self._serve_logs(request, environ)
        if (request.service, request.operation) == ("s3", "PutObject"):
            wrong = s3_violation(environ)
            if wrong is not None:
                return error_response(request, 400, "BadDigest", wrong)
        repeated = self._fifo.recall(request)
        if repeated is not None:
            return repeated
        response = self._ask_moto(environ)
        self._fifo.remember(request, response)
        return response

    def _serve_logs(self, request: AwsRequest, environ: dict[str, Any]) -> Response:
        now_ms = int(self._clock.utc().timestamp() * 1000)
        wrong = logs_violation(request.operation, request.body, now_ms)
        if wrong is not None:
            return error_response(request, 400, "InvalidParameterException", wrong)
        response = self._ask_moto(environ)
        if request.operation == "PutLogEvents" and response.status_code == OK:
            answer = json.loads(response.get_data() or b"{}")
            answer.pop("rejectedLogEventsInfo", None)
            if rejected := rejected_events(request.body, now_ms):
                answer["rejectedLogEventsInfo"] = rejected
            response.set_data(json.dumps(answer))
        return response

    def _ask_moto(self, environ: dict[str, Any]) -> Response:
        return AwsResponse.from_app(self._moto, environ)


class _Handler(QuietHandler, MotoRequestHandler):
    """Quiet, and keeps the underscores of S3 metadata names as moto's own handler does."""
