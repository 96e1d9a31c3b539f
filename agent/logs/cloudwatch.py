"""One CloudWatch log stream: made when it is missing, fed batch by batch."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent.aws_errors import error_code, translate
from agent.errors import AwsError
from agent.events import event, warning
from agent.logs.batch import Event

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_ALREADY = "ResourceAlreadyExistsException"
_MISSING = "ResourceNotFoundException"
_INVALID = ("InvalidParameterException", "InvalidParameter", "SerializationException")


class LogsClient(Protocol):
    """The calls used of boto3's `logs` client."""

    def create_log_group(self, *, logGroupName: str) -> Any: ...  # noqa: N803
    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> Any: ...  # noqa: N803
    def put_log_events(
        self,
        *,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        logEvents: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]: ...


class Put(StrEnum):
    """What became of a batch."""

    SENT = "sent"
    LATER = "later"
    """An outage: the same batch may be taken a little later."""
    REFUSED = "refused"
    """CloudWatch will never take this batch, but perhaps the next one."""
    OFF = "off"
    """The stream is given up: no permission, no group, no credentials."""


class LogStream:
    """A stream of a group. Used by one thread at a time; never raises what AWS answers."""

    def __init__(self, client: LogsClient, group: str, name: str) -> None:
        """Names the stream; it is made with the first batch."""
        self._client = client
        self._group = group
        self.name = name
        self.off = False
        self.rejected_events = 0
        """Events that CloudWatch took and threw away because of their age."""
        self._made = False
        self._warned: set[str] = set()

    def put(self, batch: Sequence[Event]) -> Put:
        """One try to send the batch, which must be inside CloudWatch's limits."""
        if self.off:
            return Put.OFF
        try:
            if not self._made:
                self._make()
            answer = self._put_made_once_more(batch)
        except AwsError as exc:
            return self._failed(exc)
        self._look_at_rejected(answer, len(batch))
        return Put.SENT

    def try_again(self) -> None:
        """Takes a stream that was given up back into use, for one more try."""
        self.off = False

    def _put_made_once_more(self, batch: Sequence[Event]) -> dict[str, Any]:
        try:
            return self._put(batch)
        except AwsError as exc:
            if _code(exc) != _MISSING:
                raise
        # Somebody deleted it under our hands.
        self._make()
        return self._put(batch)

    def _put(self, batch: Sequence[Event]) -> dict[str, Any]:
        wire = [{"timestamp": each.timestamp_ms, "message": each.message} for each in batch]
        put = self._client.put_log_events
        return self._call(
            "PutLogEvents",
            lambda: put(logGroupName=self._group, logStreamName=self.name, logEvents=wire),
        )

    def _make(self) -> None:
        try:
            self._make_stream()
        except AwsError as exc:
            if _code(exc) != _MISSING:
                raise
            self._make_group()
            self._make_stream()
        self._made = True

    def _make_stream(self) -> None:
        make = self._client.create_log_stream
        try:
            self._call(
                "CreateLogStream", lambda: make(logGroupName=self._group, logStreamName=self.name)
            )
        except AwsError as exc:
            if _code(exc) != _ALREADY:
                raise

    def _make_group(self) -> None:
        make = self._client.create_log_group
        try:
            self._call("CreateLogGroup", lambda: make(logGroupName=self._group))
        except AwsError as exc:
            if _code(exc) != _ALREADY:
                raise
        else:
            event(log, "logs.group_created", group=self._group)

    def _call(self, operation: str, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except (ClientError, BotoCoreError, ResponseParserError) as exc:
            where = f"{self._group}, stream {self.name}"
            raise translate(exc, call=f"logs:{operation}", resource=where) from exc

    def _failed(self, exc: AwsError) -> Put:
        if exc.transient:
            self._warn_once("logs.delayed", error=exc)
            return Put.LATER
        if self._made and _code(exc) in _INVALID:
            self._warn_once("logs.batch_refused", error=exc)
            return Put.REFUSED
        self.off = True
        self._warn_once("logs.off", error=exc)
        return Put.OFF

    def _look_at_rejected(self, answer: dict[str, Any], count: int) -> None:
        info = answer.get("rejectedLogEventsInfo") or {}
        # AWS: both ends are exclusive, the start is inclusive.
        old = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
        new = count - info.get("tooNewLogEventStartIndex", count)
        if info:
            self.rejected_events += old + new
            self._warn_once("logs.rejected", too_old=old, too_new=new)

    def _warn_once(self, name: str, **fields: object) -> None:
        if name not in self._warned:
            warning(log, name, stream=self.name, **fields)
        self._warned.add(name)


def _code(error: AwsError) -> str:
    return error_code(error.__cause__) if isinstance(error.__cause__, Exception) else ""
