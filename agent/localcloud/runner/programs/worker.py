"""Stand-in for Runner.Worker: runs the steps of one job that the listener hands over on stdin. Standard library only."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUCCEEDED, FAILED = 0, 2
STREAMS_SECONDS = 5
"""So long a step's output is waited for once the step is over: a process it left behind may hold the pipe."""


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())


class Page:
    """What the job's steps print: each line behind the moment at which it came, the values to mask taken out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._masks: list[bytes] = []

    def take(self, process: "subprocess.Popen[bytes]") -> threading.Thread:
        thread = threading.Thread(target=self._take, args=(process,), daemon=True)
        thread.start()
        return thread

    def uploaded(self) -> None:
        self._path.unlink(missing_ok=True)

    def _take(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with self._path.open("ab", buffering=0) as page:
            for line in process.stdout:
                moment, rest = divmod(time.time_ns(), 10**9)
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
                page.write(f"{stamp}.{rest // 100:07}Z ".encode() + self._masked(line))

    def _masked(self, line: bytes) -> bytes:
        command = b"::add-mask::"
        if line.startswith(command):
            self._masks.append(line.removeprefix(command).strip())
        for value in filter(None, self._masks):
            line = line.replace(value, b"***")
        return line if line.endswith(b"\n") else line + b"\n"


class Worker:
    """One job."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._scenario = scenario
        self._scale: float = scenario["time_scale"]
        self._stop = threading.Event()
        self._tracking_id = f"github_{uuid.uuid4()}"
        folder = ROOT / "_diag"
        (folder / "pages").mkdir(parents=True, exist_ok=True)
        moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self._log = (folder / f"Worker_{moment}-utc.log").open("a", buffering=1)
        self._page = Page(folder / "pages" / f"{uuid.uuid4()}_1.log")

    def run(self) -> int:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGTERM, self._terminate)
        if self._scenario["worker"] == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        job = json.loads(sys.stdin.readline())["job"]
        if self._scenario["worker"] == "hang":
            threading.Event().wait(3600)
        threading.Thread(target=self._listen, daemon=True).start()
        self._info("Worker", f"Job {job['name']} begins")
        result = self._steps(job)
        self._sweep()
        self._report(job["name"], result)
        self._page.uploaded()
        self._info("Worker", f"Job completed with result {result}")
        return 100 + result

    def _steps(self, job: dict[str, Any]) -> int:
        place = self._place()
        self._hook("ACTIONS_RUNNER_HOOK_JOB_STARTED", place)
        result = SUCCEEDED
        for step in job["steps"]:
            if self._stop.is_set():
                return FAILED
            if self._step(step, place) != 0:
                result = FAILED
                break
        if self._stop.is_set():
            return FAILED
        self._hook("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", place)
        return result

    def _step(self, step: dict[str, Any], place: Path) -> int:
        script = ROOT / "_work/_temp" / f"{uuid.uuid4()}.sh"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(step["run"])
        self._info("StepsRunner", f"Processing step: {step['name']}")
        stubborn = self._scenario["worker"] == "stubborn"
        process = subprocess.Popen(
            ["bash", "-e", str(script)],
            cwd=place,
            env=self._environment(place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_ignore_signals if stubborn else _default_signals,  # noqa: PLW1509
        )
        page = self._page.take(process)
        code = self._await(process)
        page.join(STREAMS_SECONDS * self._scale)
        self._info("StepsRunner", f"Step result: {code}")
        return code

    def _await(self, process: "subprocess.Popen[bytes]") -> int:
        while True:
            try:
                return process.wait(0.02)
            except subprocess.TimeoutExpired:
                if self._stop.is_set() and self._scenario["worker"] != "stubborn":
                    return self._cancel(process)

    def _cancel(self, process: "subprocess.Popen[bytes]") -> int:
        """INT, 7.5 s, TERM, 2.5 s, KILL: to the step's shell only, not to its tree."""
        for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 60)):
            process.send_signal(number)
            try:
                return process.wait(seconds * self._scale)
            except subprocess.TimeoutExpired:
                continue
        return 137

    def _place(self) -> Path:
        place = ROOT / "_work/hello-world/hello-world"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _environment(self, place: Path) -> dict[str, str]:
        return {
            **os.environ,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(place),
            "RUNNER_TEMP": str(ROOT / "_work/_temp"),
            "RUNNER_NAME": str(_settings().get("agentname", "standin")),
            "RUNNER_TRACKING_ID": self._tracking_id,
        }

    def _hook(self, name: str, place: Path) -> None:
        path = os.environ.get(name)
        if path:
            hook = subprocess.Popen(
                ["bash", "-e", path],
                cwd=place,
                env=self._environment(place),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            page = self._page.take(hook)
            hook.wait()
            page.join(STREAMS_SECONDS * self._scale)

    def _listen(self) -> None:
        """A shutdown from the listener; the end of the pipe is not noticed, as in the real one."""
        for line in sys.stdin:
            if json.loads(line).get("shutdown"):
                self._info("Worker", "The runner has received a shutdown signal.")
                self._stop.set()

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        threading.Timer(30 * self._scale, os._exit, (143,)).start()

    def _sweep(self) -> None:
        """Kills what the job left behind, known by its tracking id."""
        mark = f"RUNNER_TRACKING_ID={self._tracking_id}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    os.kill(int(path.name), signal.SIGKILL)
                    self._info("JobExtension", f"Terminate orphan process: pid ({path.name})")
            except (OSError, ProcessLookupError):
                continue

    def _report(self, job: str, result: int) -> None:
        """The conclusion that GitHub would show: a local shutdown is a failure there."""
        from http.client import HTTPConnection, HTTPException
        from urllib.parse import urlsplit

        settings = _settings()
        server = urlsplit(str(settings.get("githuburl") or settings.get("serverurl") or ""))
        if server.hostname != "127.0.0.1":
            return
        word = "success" if result == SUCCEEDED else "failure"
        body = {"runner": settings.get("agentname", ""), "job": job, "conclusion": word}
        connection = HTTPConnection(server.netloc, timeout=1)
        try:
            connection.request("POST", "/_standin/conclusions", json.dumps(body), {"Content-Type": "application/json"})  # fmt: skip
            connection.getresponse().read()
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()

    def _info(self, source: str, text: str) -> None:
        self._log.write(f"[{now()} INFO {source}] {text}\n")


def _settings() -> dict[str, Any]:
    """`.runner` as config.sh writes it (BOM, camelCase) or as a JIT config does (PascalCase)."""
    try:
        content = json.loads((ROOT / ".runner").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return {key.lower(): value for key, value in content.items()}


def _default_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ignore_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    code = Worker(json.loads((ROOT / "scenario.json").read_text())).run()
    os._exit(code)
