"""The shippers that are compared, each as a process of its own that ends when everything is sent.

`ours`: `agent.logs.shipper` on the file. `peer`: the common way, a scanner over the job's pipe that buffers and calls
PutLogEvents in the reading loop. Prints `cpu_seconds peak_mb` to stdout, what the imports take left out of both.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.logs.quick_put import put_quickly
from agent.logs.shipper import Shipper
from agent.redact import Redactor

GROUP, STREAM = "/bench", "4711/i-1/runner"
SECRETS = 10
FLUSH_SECONDS, BATCH_BYTES, BATCH_EVENTS, OVERHEAD = 5.0, 1_048_576, 10_000, 26


def ours(client: Any, spool: Path, over: Path, offsets: Path) -> None:
    """Goes on where an earlier life stopped; ends once `over` exists and everything is sent."""
    redactor = Redactor()
    redactor.add(*(f"secret-{number}-{'s' * 40}" for number in range(SECRETS)))
    clock = SystemClock()

    def keep(_stream: str, _path: Path, offset: int) -> None:
        partial = offsets.with_suffix(".part")
        partial.write_text(json.dumps(offset))
        partial.replace(offsets)

    shipper = Shipper(client, GROUP, clock=clock, redactor=redactor, on_shipped=keep)
    shipper.follow(spool, STREAM, offset=json.loads(offsets.read_text()) if offsets.exists() else 0)
    shipper.start()
    never = threading.Event()
    while not over.exists():
        clock.wait(never, 0.05)
    flushed = shipper.flush(Deadline.after(clock, 300), final=True)
    shipper.stop()
    if not flushed.complete:
        sys.exit(1)


def peer(client: Any) -> None:
    """Reads stdin."""
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    events: list[dict[str, Any]] = []
    size, sent = 0, time.monotonic()

    def send() -> None:
        nonlocal size, sent
        if events:
            client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)
        events.clear()
        size, sent = 0, time.monotonic()

    for raw in sys.stdin.buffer:
        text = raw.rstrip(b"\n").decode("utf-8", "replace")
        length = len(text.encode()) + OVERHEAD
        late = time.monotonic() - sent > FLUSH_SECONDS
        if late or size + length > BATCH_BYTES or len(events) == BATCH_EVENTS:
            send()
        events.append({"timestamp": int(time.time() * 1000), "message": text})
        size += length
    send()


def main(arguments: list[str]) -> None:
    """Takes the way, the endpoint's address, and for ours the spool, the sign of its end, and where offsets are kept."""
    way, url, *paths = arguments
    client = boto3.client(
        "logs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="example",  # noqa: S106 - an example
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1 if way == "ours" else 3}
        ),
    )
    before, imported_mb = _cpu_seconds(), _peak_mb()
    if way == "ours":
        ours(put_quickly(client), *map(Path, paths))
    else:
        peer(client)
    print(_cpu_seconds() - before, _peak_mb() - imported_mb)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    main(sys.argv[1:])
