"""`make ui` as a person has it: started, read until its pages are open, ended by Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).parents[3]
OPEN = "open until Ctrl-C"
PLAYED = re.compile(r"^(?P<scenario>[a-z-]+): ")
SEEN = re.compile(r"^  (?P<flow>\w+) +(?P<state>\w+) +(?P<url>http://\S+)$")
LIMIT_SECONDS = 420.0
END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Page:
    """What it says of a flow run."""

    state: str
    url: str


@dataclass(slots=True)
class OpenUi:
    """A context manager; inside it the pages are open.

    Attributes:
        said: its lines.
        pages: of the flow runs, by scenario and flow.
    """

    said: list[str] = field(default_factory=list)
    pages: dict[tuple[str, str], Page] = field(default_factory=dict)
    _process: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deployments.ui"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        limit = threading.Timer(LIMIT_SECONDS, self._process.kill)
        limit.start()
        try:
            self._read(self._process)
        except BaseException:
            self.__exit__()
            raise
        finally:
            limit.cancel()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def end(self) -> int:
        """Ctrl-C; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        rest, _ = self._process.communicate(timeout=END_SECONDS)
        self.said += rest.splitlines()
        return self._process.returncode

    @property
    def url(self) -> str:
        """Of the server, without a path."""
        return next(iter(self.pages.values())).url.partition("/runs/")[0]

    def asked(self, path: str, query: Mapping[str, object] | None = None) -> Sequence[dict[str, object]]:  # fmt: skip
        """What the server's API answers."""
        with httpx.Client(base_url=f"{self.url}/api", trust_env=False, timeout=30) as api:
            answer = api.post(path, json=dict(query or {}))
            answer.raise_for_status()
            found: list[dict[str, object]] = answer.json()
        return found

    def lines(self, scenario: str) -> list[str]:
        """The log of the agent's flow run."""
        run = self.pages[scenario, "run_job"].url.rpartition("/")[2]
        found = self.asked("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        return [str(line["message"]) for line in found]

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        scenario = ""
        for line in process.stdout:
            self.said.append(line.rstrip("\n"))
            if played := PLAYED.match(self.said[-1]):
                scenario = played["scenario"]
            elif seen := SEEN.match(self.said[-1]):
                self.pages[scenario, seen["flow"]] = Page(seen["state"], seen["url"])
            elif self.said[-1] == OPEN:
                return
        raise AssertionError("it ended:\n" + "\n".join(self.said))
