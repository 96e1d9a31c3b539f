"""What AWS enforces and moto does not: the limits of CloudWatch Logs, the memory of FIFO queues, the digests of S3.

The limits are those of the API reference of `PutLogEvents` and `CreateLogStream`; the wording of the
errors follows AWS, but nothing should depend on it.
"""

import base64
import hashlib
import io
import threading
from typing import Any

from werkzeug.wrappers import Request, Response

from agent.clock import Clock
from agent.localcloud.aws_protocol import AwsRequest, AwsResponse

MAX_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
MAX_SPAN_MS = 24 * 3600 * 1000
MAX_AGE_MS = 14 * 24 * 3600 * 1000
MAX_AHEAD_MS = 2 * 3600 * 1000
MAX_STREAM_NAME_CHARS = 512
FIFO_MEMORY_SECONDS = 300.0
"""SQS takes a second message of the same deduplication id for the same one for five minutes."""


def logs_violation(operation: str, body: dict[str, Any], now_ms: int) -> str | None:
    """The message of the InvalidParameterException that AWS would answer; None when all is well."""
    if operation not in ("CreateLogStream", "PutLogEvents"):
        return None
    wrong = _stream_name(body.get("logStreamName"))
    if wrong is None and operation == "PutLogEvents":
        wrong = _events(body.get("logEvents"), now_ms)
    return wrong


def rejected_events(body: dict[str, Any], now_ms: int) -> dict[str, int]:
    """`rejectedLogEventsInfo` by the documentation; moto's own is off by one and keeps the last index."""
    stamps = [event["timestamp"] for event in body["logEvents"]]
    rejected = {}
    old = sum(stamp < now_ms - MAX_AGE_MS for stamp in stamps)
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    ahead = sum(stamp > now_ms + MAX_AHEAD_MS for stamp in stamps)
    if ahead:
        rejected["tooNewLogEventStartIndex"] = len(stamps) - ahead
    return rejected


def s3_violation(environ: dict[str, Any]) -> str | None:
    """The message of the BadDigest that S3 would answer to what is to be put; None when all is well. Leaves the body to be read."""
    wanted = environ.get("HTTP_X_AMZ_CHECKSUM_SHA256")
    if wanted is None:
        return None
    body = Request(environ).get_data(cache=False)
    environ["wsgi.input"] = io.BytesIO(body)
    if base64.b64encode(hashlib.sha256(body).digest()).decode() == wanted:
        return None
    return "The SHA256 you specified did not match the calculated checksum."


class FifoMemory:
    """Answers a repeated SendMessage of a FIFO queue with the first one's answer, as SQS does.

    moto forgets a deduplication id once its message is deleted. Thread-safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, str], tuple[float, bytes]] = {}

    def recall(self, request: AwsRequest) -> AwsResponse | None:
        """The first answer, when this message was sent less than five minutes ago."""
        key = _fifo_key(request)
        if key is None:
            return None
        with self._lock:
            at, body = self._sent.get(key, (float("-inf"), b""))
        if self._clock.monotonic() - at >= FIFO_MEMORY_SECONDS:
            return None
        return AwsResponse(body, 200, content_type="application/x-amz-json-1.0")

    def remember(self, request: AwsRequest, response: Response) -> None:
        """Keeps the answer to a message that was taken."""
        key = _fifo_key(request)
        if key is not None and response.status_code == 200:  # noqa: PLR2004
            with self._lock:
                self._sent[key] = (self._clock.monotonic(), response.get_data())


def _fifo_key(request: AwsRequest) -> tuple[str, str] | None:
    if (request.service, request.operation) != ("sqs", "SendMessage"):
        return None
    queue, identity = request.body.get("QueueUrl"), request.body.get("MessageDeduplicationId")
    return (queue, identity) if queue and identity else None


def _stream_name(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return _constraint("logStreamName", "Member must have length greater than or equal to 1")
    if len(name) > MAX_STREAM_NAME_CHARS:
        return _constraint("logStreamName", "Member must have length less than or equal to 512")
    if ":" in name or "*" in name:
        return _constraint(
            "logStreamName", "Member must satisfy regular expression pattern: [^:*]*"
        )
    return None


def _events(events: object, now_ms: int) -> str | None:
    if not isinstance(events, list) or not events:
        return _constraint("logEvents", "Member must have length greater than or equal to 1")
    if len(events) > MAX_EVENTS:
        return _constraint("logEvents", "Member must have length less than or equal to 10000")
    if not all(event.get("message") for event in events):
        return _constraint(
            "logEvents.member.message", "Member must have length greater than or equal to 1"
        )
    size = sum(len(e["message"].encode()) + EVENT_OVERHEAD_BYTES for e in events)
    if size > MAX_BATCH_BYTES:
        return f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}"
    return _order([event["timestamp"] for event in events], now_ms)


def _order(stamps: list[int], now_ms: int) -> str | None:
    if stamps != sorted(stamps):
        return "Log events in a single PutLogEvents request must be in chronological order."
    valid = [s for s in stamps if now_ms - MAX_AGE_MS <= s <= now_ms + MAX_AHEAD_MS]
    if valid and valid[-1] - valid[0] > MAX_SPAN_MS:
        return (
            "The batch of log events in a single PutLogEvents request "
            "cannot span more than 24 hours."
        )
    return None


def _constraint(member: str, rule: str) -> str:
    return f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"
