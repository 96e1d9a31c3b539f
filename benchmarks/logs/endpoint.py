"""A CloudWatch Logs that takes everything at once and checks it afterwards. A process of its own, so that its CPU is not ours."""

import json
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REFUSED_SHARE_VARIABLE = "refuse"
LIMIT_BYTES, LIMIT_EVENTS, OVERHEAD = 1_048_576, 10_000, 26


class Endpoint(ThreadingHTTPServer):
    """Keeps the bodies of PutLogEvents in memory, with the moment at which they came."""

    daemon_threads = True

    def __init__(self, refuse: float, outages: list[tuple[float, float]]) -> None:
        """Refuses that share of the calls; says nothing in the outages (seconds from the first call, seconds long)."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse = refuse
        self.outages = outages
        self.began = 0.0
        self.calls = 0
        self.refused = 0
        self.bodies: list[tuple[float, bytes]] = []
        self.random = random.Random(1)

    def refuses(self) -> bool:
        now = time.monotonic()
        self.began = self.began or now
        self.calls += 1
        out = any(start <= now - self.began < start + length for start, length in self.outages)
        no = out or self.random.random() < self.refuse
        self.refused += no
        return no


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # the answer goes out as one packet
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if target == "PutLogEvents":
            if self.server.refuses():
                return self._answer(503, {"__type": "ServiceUnavailableException"})
            self.server.bodies.append((time.monotonic(), body))
        return self._answer(200, {})

    def do_GET(self) -> None:
        """`/verdict?lines=N`: what came; exactly the N lines once and in order, or what is wrong."""
        lines = int(self.path.rpartition("=")[2])
        self._answer(200, verdict(self.server, lines))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def verdict(server: Endpoint, lines: int) -> dict[str, Any]:
    """Counts and checks, when all is over."""
    numbers: list[int] = []
    worst_lag, broken = 0.0, list[str]()
    for arrived, body in server.bodies:
        events = json.loads(body)["logEvents"]
        size = sum(len(each["message"].encode()) + OVERHEAD for each in events)
        if size > LIMIT_BYTES or len(events) > LIMIT_EVENTS:
            broken.append(f"a batch of {len(events)} events and {size} bytes")
        for each in events:
            number, written, _ = each["message"].split(" ", 2)
            numbers.append(int(number))
            worst_lag = max(worst_lag, arrived - float(written))
    seen = set(numbers)
    return {
        "lines": len(numbers),
        "calls": server.calls,
        "refused": server.refused,
        "missing": lines - len(seen),
        "repeated": len(numbers) - len(seen),
        "in_order": list(dict.fromkeys(numbers)) == sorted(seen),
        "worst_lag": worst_lag,
        "last_at": server.bodies[-1][0] if server.bodies else 0.0,
        "broken": broken,
    }


def main(port_file: Path, refuse: float, outages: list[tuple[float, float]]) -> None:
    """Writes its port into the file and serves until it is killed."""
    server = Endpoint(refuse, outages)
    partial = port_file.with_suffix(".part")
    partial.write_text(str(server.server_port))
    partial.replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3]))
