"""Stand-in for Runner.Listener: `configure`, `run`, `--version`. Standard library only; it must start quickly."""

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


def parse(arguments: list[str]) -> tuple[set[str], dict[str, str]]:
    """Flags and values; a value that starts with `-` is silently no value, the first duplicate wins."""
    flags: set[str] = set()
    values: dict[str, str] = {}
    for place, word in enumerate(arguments):
        if word.startswith("--"):
            following = arguments[place + 1] if place + 1 < len(arguments) else "-"
            if following.startswith("-"):
                flags.add(word[2:].lower())
            else:
                values.setdefault(word[2:].lower(), following)
    return flags, values


def load_env_file() -> None:
    path = ROOT / ".env"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, equals, value = line.partition("=")
        if equals and value:
            os.environ[name] = value
        elif equals:
            os.environ.pop(name, None)


class Failure(Exception):
    """An answer of GitHub's that is no success."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status, self.word = status, word


REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: "TooManyRequests", 500: "InternalServerError"}  # fmt: skip
SCRIPTED = {"not_found": 404, "unauthorized": 401, "server_error": 500}


class Registration:
    """`configure`."""

    def __init__(self, scenario: dict[str, Any], arguments: list[str]) -> None:
        self._scenario = scenario
        self._flags, self._values = parse(arguments)
        self._values = {**take_inputs(), **self._values}

    def run(self) -> int:
        say("\n" + "-" * 80)
        say("|        Self-hosted runner registration        |")
        say("-" * 80 + "\n\n# Authentication\n")
        if (ROOT / ".runner").exists():
            complain(
                "Cannot configure the runner because it is already configured. To reconfigure the runner, run 'config.cmd remove' or './config.sh remove' first."
            )
            return 1
        for name in ("url", "token"):
            if not self._values.get(name):
                complain(f"Invalid configuration provided for {name}. Terminating unattended configuration.")  # fmt: skip
                return 1
        if self._scenario["configure"] == "hang":
            threading.Event().wait(3600)
        return self._attempts()

    def _attempts(self) -> int:
        for attempt in range(3):
            try:
                self._register()
            except Failure as failure:
                url = "https://api.github.com/actions/runner-registration"
                complain(f"Http response code: {failure.word} from 'POST {url}' (Request Id: 1)")
                complain('{"message":"' + failure.word + '","status":"' + str(failure.status) + '"}')  # fmt: skip
                complain(f"Response status code does not indicate success: {failure.status} ({failure.word}).")  # fmt: skip
                if failure.status == 404 or attempt == 2:
                    return 1
                time.sleep(2 * self._scenario["time_scale"])
            else:
                return self._settle()
        return 1

    def _register(self) -> None:
        how = self._scenario["configure"]
        if how == "server_error_once":
            count = ROOT / ".standin-attempts"
            tried = int(count.read_text()) if count.exists() else 0
            count.write_text(str(tried + 1))
            if tried < 3:
                raise Failure(500, REASONS[500])
        if how in SCRIPTED:
            raise Failure(SCRIPTED[how], REASONS[SCRIPTED[how]])
        if self._values["url"].startswith("http://127.0.0.1"):
            self._ask_github()

    def _ask_github(self) -> None:
        from http.client import HTTPConnection, HTTPException
        from urllib.parse import urlsplit

        host = urlsplit(self._values["url"]).netloc
        body = {
            "url": self._values["url"],
            "runner_event": "register",
            "name": self._values.get("name", ""),
            "labels": [each for each in self._values.get("labels", "").split(",") if each],
        }
        headers = {"Authorization": f"RemoteAuth {self._values['token']}", "Content-Type": "application/json"}  # fmt: skip
        connection = HTTPConnection(host, timeout=10)
        try:
            connection.request("POST", "/api/v3/actions/runner-registration", json.dumps(body), headers)  # fmt: skip
            status = connection.getresponse().status
        except (OSError, HTTPException):
            raise Failure(503, "ServiceUnavailable") from None
        finally:
            connection.close()
        if status >= 300:
            raise Failure(status, REASONS.get(status, "InternalServerError"))

    def _settle(self) -> int:
        say(f"{TICK} Connected to GitHub\n\n# Runner Registration\n")
        say(f"{TICK} Runner successfully added\n{TICK} Runner connection is good\n")
        if self._scenario["configure"] == "leaves_nothing":
            return 0
        settings = {
            "agentId": 11,
            "agentName": self._values.get("name", "standin"),
            "poolId": 1,
            "poolName": self._values.get("runnergroup", "Default"),
            "disableUpdate": "disableupdate" in self._flags,
            "ephemeral": "ephemeral" in self._flags,
            "serverUrl": "https://pipelines.example/standin",
            "gitHubUrl": self._values["url"],
            "workFolder": self._values.get("work", "_work"),
        }
        (ROOT / ".runner").write_text(json.dumps(settings, indent=2), encoding="utf-8-sig")
        keep(".credentials", {"scheme": "OAuth", "data": {"clientId": "standin"}})
        keep(".credentials_rsaparams", {"d": "standin-private-key"})
        (ROOT / "svc.sh").write_text("#!/bin/bash\n")
        (ROOT / "svc.sh").chmod(0o755)
        say(f"# Runner settings\n\n{TICK} Settings Saved.\n")
        return 0


def keep(name: str, content: object) -> None:
    path = ROOT / name
    path.write_text(json.dumps(content))
    path.chmod(0o600)


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
        self._worker = subprocess.Popen([str(ROOT / "bin/Runner.Worker")], stdin=subprocess.PIPE, text=True)  # fmt: skip
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
            return Registration(scenario, arguments[1:]).run()
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
