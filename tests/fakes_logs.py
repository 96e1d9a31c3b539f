"""CloudWatch Logs in memory, with the limits of PutLogEvents that moto does not know."""

import threading
from collections import defaultdict
from typing import Any

from botocore.exceptions import ClientError


def refusal(code: str, http_status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "said so"},
            "ResponseMetadata": {
                "HTTPStatusCode": http_status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "PutLogEvents",
    )


THROTTLED = refusal("ThrottlingException")
DENIED = refusal("AccessDeniedException")


def check_limits(events: list[dict[str, Any]]) -> None:
    """AWS: PutLogEvents, API reference."""
    moments = [event["timestamp"] for event in events]
    sizes = [len(event["message"].encode()) + 26 for event in events]
    inside = (
        1 <= len(events) <= 10_000
        and sum(sizes) <= 1_048_576
        and max(sizes) <= 256 * 1024
        and min(sizes) > 26
        and moments == sorted(moments)
        and moments[-1] - moments[0] < 24 * 3600 * 1000
    )
    if not inside:
        raise refusal("InvalidParameterException")


class FakeLogs:
    """Takes batches; fails, hangs and rejects as it is told."""

    def __init__(self, *groups: str) -> None:
        self.groups = set(groups)
        self.streams: dict[str, list[str]] = {}
        self.batches: list[tuple[str, int]] = []
        self.calls: list[str] = []
        self.fail: dict[str, list[ClientError]] = defaultdict(list)
        """By operation, or by stream: raised one after the other."""
        self.rejected: dict[str, int] = {}
        self.open = threading.Event()
        """While it is cleared, PutLogEvents hangs."""
        self.open.set()
        self._changed = threading.Condition()

    def create_log_group(self, *, logGroupName: str) -> Any:  # noqa: N803
        self._called("create_log_group")
        self.groups.add(logGroupName)

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> Any:  # noqa: N803
        self._called("create_log_stream")
        if logGroupName not in self.groups:
            raise refusal("ResourceNotFoundException")
        if logStreamName in self.streams:
            raise refusal("ResourceAlreadyExistsException")
        self.streams[logStreamName] = []

    def put_log_events(
        self,
        *,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        logEvents: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        assert self.open.wait(20)
        self._called("put_log_events", logStreamName)
        if logGroupName not in self.groups or logStreamName not in self.streams:
            raise refusal("ResourceNotFoundException")
        check_limits(logEvents)
        with self._changed:
            self.streams[logStreamName] += [event["message"] for event in logEvents]
            self.batches.append((logStreamName, len(logEvents)))
            self._changed.notify_all()
        return {"rejectedLogEventsInfo": self.rejected} if self.rejected else {}

    def wait_for(self, stream: str, count: int) -> list[str]:
        """The stream's messages as soon as there are so many; fails after 20 s."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.streams.get(stream, [])) >= count, 20)
            assert came, f"{stream} has {len(self.streams.get(stream, []))} lines, not {count}"
            return list(self.streams[stream])

    def wait_for_call(self, operation: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: operation in self.calls, 20)

    def _called(self, *names: str) -> None:
        with self._changed:
            self.calls.append(names[0])
            self._changed.notify_all()
        for name in names:
            if self.fail[name]:
                raise self.fail[name].pop(0)
