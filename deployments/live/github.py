"""GitHub's REST API, as far as a test repository needs it (docs.github.com/rest/actions)."""

import getpass
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.live.account import Refused, Say

API = "https://api.github.com"
SECONDS = 20.0
ASK_SECONDS = 10.0
NEEDS = "the token needs Administration and Actions, read and write, on the test repository"


@dataclass(frozen=True, slots=True)
class Job:
    """A workflow's job, as GitHub sees it."""

    status: str
    conclusion: str
    """Empty until it is over."""
    runner_name: str
    url: str


class Repository:
    """One repository. In a dry run it only says what it would ask."""

    def __init__(self, name: str, http: httpx.Client | None, say: Say) -> None:
        """`http` has the API's address and the token; None makes it a dry run."""
        self.name = name
        self._http = http
        self._say = say

    def registration_token(self) -> str:
        """A fresh one; GitHub takes it for an hour."""
        answer = self._ask("POST", "/actions/runners/registration-token", {"token": ""})
        return str(answer["token"])

    def has_workflow(self, file: str) -> bool:
        """Whether the default branch has it: GitHub dispatches no other."""
        return self._ask("GET", f"/actions/workflows/{file}", {}, missing=None) is not None

    def dispatch(self, file: str, *, runner: str, ref: str) -> None:
        """Starts a workflow whose job asks for a runner with this label."""
        told = {"ref": ref, "inputs": {"runner": runner}}
        self._ask("POST", f"/actions/workflows/{file}/dispatches", None, json=told)

    def runner(self, name: str) -> dict[str, Any] | None:
        """The registration of that name, while there is one: an ephemeral runner's is gone after its job."""
        assumed = {"runners": [{"name": name, "id": "…", "status": "offline"}]}
        found = self._ask("GET", "/actions/runners", assumed, params={"name": name})
        return next((dict(each) for each in found["runners"] if each["name"] == name), None)

    def remove_runner(self, runner_id: object) -> None:
        """Takes a registration away that is there."""
        self._ask("DELETE", f"/actions/runners/{runner_id}", None, missing=None)

    def job_for(self, runner: str) -> Job | None:
        """The job of the workflow run that was dispatched for this label; its title says which."""
        query = {"event": "workflow_dispatch", "per_page": 30}
        runs = self._ask("GET", "/actions/runs", {"workflow_runs": []}, params=query)
        ours = [run for run in runs["workflow_runs"] if run["display_title"].endswith(f" {runner}")]
        if not ours:
            return None
        jobs = self._ask("GET", f"/actions/runs/{ours[0]['id']}/jobs", {"jobs": []})["jobs"]
        return _job(jobs[0]) if jobs else None

    def _ask(
        self, method: str, path: str, assumed: Any, *, missing: Any = Refused, **more: Any
    ) -> Any:
        """The decoded answer; `missing` for a 404, which is an error where it is not given."""
        url = f"/repos/{self.name}{path}"
        if self._http is None:
            self._say(f"would call GitHub {method} {url}")
            return assumed
        try:
            answer = self._http.request(method, url, **more)
        except httpx.HTTPError as exc:
            raise Refused(f"GitHub {method} {url} failed: {exc}; check the network") from exc
        if answer.status_code == httpx.codes.NOT_FOUND and missing is not Refused:
            return missing
        if not answer.is_success:
            why = _message(answer)
            raise Refused(f"GitHub {method} {url} answered {answer.status_code} {why}; {NEEDS}")
        return answer.json() if answer.content else None


def connected(api_url: str, token: str) -> httpx.Client:
    """A client that knows the token; close it."""
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return httpx.Client(base_url=api_url.rstrip("/"), headers=headers, timeout=SECONDS)


def own_token(environment: Mapping[str, str]) -> str:
    """The caller's: out of `GITHUB_TOKEN` or `GH_TOKEN`, from GitHub's command line, or typed in.

    Raises:
        Refused: there is none, and nobody to ask.
    """
    given = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN") or _from_gh()
    if not given and sys.stdin.isatty():
        given = getpass.getpass("GitHub token (not shown): ").strip()
    if not given:
        raise Refused(f"there is no GitHub token; set GITHUB_TOKEN, or log in with `gh`: {NEEDS}")
    return given


def _from_gh() -> str:
    gh = shutil.which("gh")
    if gh is None:
        return ""
    asked = subprocess.run(
        [gh, "auth", "token"], capture_output=True, text=True, check=False, timeout=ASK_SECONDS
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _message(answer: httpx.Response) -> str:
    """GitHub's own words for why not."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _job(told: Mapping[str, Any]) -> Job:
    return Job(
        status=told["status"],
        conclusion=told["conclusion"] or "",
        runner_name=told["runner_name"] or "",
        url=told["html_url"],
    )
