"""Stand-in for Runner.Listener: `run`, `--version`; `configure` is a program of its own. Standard library only; it must start quickly."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICK = "\u221a"
CODES = {"Succeeded": 0, "SucceededWithIssues": 1, "Failed": 2, "Canceled": 3, "Skipped": 4, "Abandoned": 5}  # fmt: skip
WORDS = {code: word for word, code in CODES.items()}
GUID = "6f1b7a0e-3c55-4d3e-9b52-0a1c2d3e4f50"


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Diag:
    """`_diag/Runner_<moment>-utc.log`, flushed line by line."""

    def __init__(self, what: str) -> None:
        folder = ROOT / "_diag"
        folder.mkdir(exist_ok=True)
        moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self._file = (folder / f"{what}_{moment}-utc.log").open("a", buffering=1)

    def info(self, source: str, text: str) -> None:
        self._file.write(f"[{now()} INFO {source}] {text}\n")


def take_inputs() -> dict[str, str]:
    """ACTIONS_RUNNER_INPUT_* out of the environment, so that nobody inherits them."""
    prefix = "ACTIONS_RUNNER_INPUT_"
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    return {name.upper()[len(prefix) :].lower(): os.environ.pop(name) for name in names}


def load_env_file() -> None:
    path = ROOT / ".env"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, equals, value = line.partition("=")
        if equals and value:
            os.environ[name] = value
        elif equals:
            os.environ.pop(name, None)


class Listening:
    """`run`."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._scenario = scenario
        self._scale: float = scenario["time_scale"]
        self._how: str = scenario["listener"]
        self._stop = threading.Event()
        self._worker: subprocess.Popen[str] | None = None
        self._diag = Diag("Runner")
        self._interrupted = False

    def run(self) -> int:
        (ROOT / ".standin-pause").write_text(str(5 * self._scale))
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGQUIT, self._interrupt)
        signal.signal(signal.SIGTERM, self._terminate)
        if not (ROOT / ".runner").exists() or self._how == "not_configured":
            complain("An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.")  # fmt: skip
            return 1
        say(f"\n{TICK} Connected to GitHub\n")
        return self._before_listening() or self._listen()

    def _before_listening(self) -> int:
        match self._how:
            case "session_conflict":
                complain("A session for this runner already exists.")
                self._stop.wait(240 * self._scale)
                complain("Stop retry on SessionConflictException after retried for 240 seconds.")
                complain("Failed to create session. conflict")
                return 5
            case "registration_deleted":
                complain("Failed to create a session. The runner registration has been deleted from the server, please re-configure. Runner registrations are automatically deleted for runners that have not connected to the service recently.")  # fmt: skip
                return 1
            case "retryable_loop":
                complain("An error occurred: the broker is not there")
                return 2
            case "retryable_once" if not (ROOT / ".standin-retried").exists():
                (ROOT / ".standin-retried").touch()
                complain("An error occurred: the broker is not there")
                return 2
            case "never_listens":
                self._stop.wait()
            case _:
                pass
        return 0

    def _listen(self) -> int:
        if self._stop.is_set():
            return 0
        say(f"Current runner version: '{self._scenario['version']}'")
        say(f"{now()}: Listening for Jobs")
        if self._how == "deprecated":
            complain(f"An error occurred: Runner version v{self._scenario['version']} is deprecated and cannot receive messages.")  # fmt: skip
            wanted = os.environ.get("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE")
            return 7 if wanted else 1
        job = self._scenario["job"]
        self._stop.wait(self._scenario["idle_seconds"] if job else None)
        if self._stop.is_set() or job is None:
            return 0
        return self._run_job(job)

    def _run_job(self, job: dict[str, Any]) -> int:
        self._diag.info("JobDispatcher", f"Job request 1 for plan 2f1d job {GUID} received.")
        if self._how == "acknowledged_only":
            self._diag.info("BrokerMessageListener", "Acknowledging runner request")
            self._stop.wait()
            return 0
        say(f"{now()}: Running job: {job['name']}")
        self._start_worker(job)
        self._chat()
        if self._how == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        result = self._await_worker(job)
        if self._how != "no_finish_line":
            self._diag.info("JobDispatcher", f"finish job request for job {GUID} with result: {result}")  # fmt: skip
            say(f"{now()}: Job {job['name']} completed with result: {result}")
        if self._how == "never_exits":
            self._stop.wait()
        if not self._interrupted:
            self._forget()
        return 0

    def _start_worker(self, job: dict[str, Any]) -> None:
        # A SIGINT for the whole group must not meet a worker that has not set its handlers yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._worker = subprocess.Popen([str(ROOT / "bin/Runner.Worker")], stdin=subprocess.PIPE, text=True)  # fmt: skip
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._tell({"job": job, "id": GUID})
        if self._stop.is_set():
            self._tell({"shutdown": True})

    def _chat(self) -> None:
        for line in self._scenario["forged_lines"]:
            say(line)
        for number in range(max(self._scenario["output_lines"], self._scenario["stderr_lines"])):
            if number < self._scenario["output_lines"]:
                say(f"line {number:06d} of the listener")
            if number < self._scenario["stderr_lines"]:
                complain(f"error line {number:06d}")

    def _await_worker(self, job: dict[str, Any]) -> str:
        assert self._worker is not None
        code = self._worker.wait()
        self._diag.info("JobDispatcher", f"Worker finished for job {GUID}. Code: {code}")
        if self._interrupted:
            return "Canceled"
        return str(job["conclusion"] or WORDS.get(code - 100, "Failed"))

    def _tell(self, message: dict[str, Any]) -> None:
        if self._worker is not None and self._worker.stdin is not None:
            try:
                self._worker.stdin.write(json.dumps(message) + "\n")
                self._worker.stdin.flush()
            except OSError:
                pass

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._interrupted:
            return
        self._interrupted = True
        os.write(1, b"Exiting...\n")
        self._stop.set()
        self._tell({"shutdown": True})

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._interrupted:
            os._exit(143)
        self._interrupted = True
        self._stop.set()
        self._tell({"shutdown": True})
        threading.Timer(30 * self._scale, os._exit, (143,)).start()

    def _forget(self) -> None:
        for name in (".credentials", ".credentials_rsaparams", ".runner"):
            (ROOT / name).unlink(missing_ok=True)
        say(f"{TICK} Removed .credentials\n{TICK} Removed .runner")


def main(arguments: list[str]) -> int:
    scenario = json.loads((ROOT / "scenario.json").read_text())
    match arguments[:1]:
        case ["--version"]:
            say(scenario["version"])
            return 0
        case ["--commit"]:
            say("0" * 40)
            return 0
        case ["warmup"]:
            return 0
        case ["configure"]:
            program = str(ROOT / "bin/Runner.Configure")
            os.execv(program, [program, *arguments[1:]])
        case ["run"]:
            take_inputs()
            load_env_file()
            return Listening(scenario).run()
        case _:
            pass
    complain(f"Unrecognized command-line input arguments: {arguments}")
    return 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
