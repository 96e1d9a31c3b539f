"""Stand-in for `Runner.Listener configure`. Standard library only; it must start quickly."""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICK = "\u221a"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


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


if __name__ == "__main__":
    scripted = json.loads((ROOT / "scenario.json").read_text())
    raise SystemExit(Registration(scripted, sys.argv[1:]).run())
