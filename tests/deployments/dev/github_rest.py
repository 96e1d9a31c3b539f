"""The part of GitHub's REST API that the live test uses, in front of the stand-in that the runner talks to."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule, Submount
from werkzeug.wrappers import Request, Response

from agent.localcloud.github import GitHub
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKEN = "token-of-the-person-who-tests"
ROUTES = Map(
    [
        Submount(
            "/repos/octo-org/live-test/actions",
            [
                Rule("/runners/registration-token", endpoint="mint", methods=["POST"]),
                Rule("/runners", endpoint="runners"),
                Rule("/runners/<int:number>", endpoint="remove", methods=["DELETE"]),
                Rule("/workflows/<file>", endpoint="workflow"),
                Rule("/workflows/<file>/dispatches", endpoint="dispatch", methods=["POST"]),
                Rule("/runs", endpoint="runs"),
                Rule("/runs/1/jobs", endpoint="jobs"),
            ],
        )
    ]
)


class GitHubRest:
    """One repository with some workflows. A context manager.

    Attributes:
        dispatched: what workflows were started with, by file.
        runners: registrations that are there, beside those that came through the stand-in.
        dispatches: whether it starts a workflow that it is asked to start.
    """

    def __init__(self, github: GitHub | None, workflows: Iterable[str] = ("simple.yml",)) -> None:
        self._github = github
        self._workflows = set(workflows)
        self.dispatched: list[tuple[str, dict[str, Any]]] = []
        self.runners: list[dict[str, Any]] = []
        self.dispatches = True
        self._server = HttpServer(self, name="github-rest")

    def __enter__(self) -> Self:
        self._server.start()
        self.url = self._server.url
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response("{}", 401)
        try:
            endpoint, values = ROUTES.bind_to_environ(request.environ).match()
        except HTTPException:
            return Response("{}", 404)
        told, status = getattr(self, f"_{endpoint}")(request, **values)
        return Response("" if told is None else json.dumps(told), status)

    def _mint(self, _: Request) -> tuple[Any, int]:
        token = self._github.issue_registration_token() if self._github else "A-TOKEN"
        return {"token": token, "expires_at": "2026-11-25T12:00:00Z"}, 201

    def _runners(self, request: Request) -> tuple[Any, int]:
        registered = self._github.runners if self._github and not self._github.conclusions else []
        seen = [{"id": 1, "name": each.name, "status": "online"} for each in registered]
        name = request.args.get("name")
        return {"runners": [r for r in seen + self.runners if name in (None, r["name"])]}, 200

    def _remove(self, _: Request, number: int) -> tuple[Any, int]:
        self.runners = [each for each in self.runners if each["id"] != number]
        return None, 204

    def _workflow(self, _: Request, file: str) -> tuple[Any, int]:
        return {"path": file}, 200 if file in self._workflows else 404

    def _dispatch(self, request: Request, file: str) -> tuple[Any, int]:
        if not self.dispatches:
            return {"message": "Workflow does not have 'workflow_dispatch' trigger"}, 422
        self.dispatched.append((file, request.get_json()))
        return None, 204

    def _runs(self, _: Request) -> tuple[Any, int]:
        titles = [f"live {file} on {told['inputs']['runner']}" for file, told in self.dispatched]
        return {"workflow_runs": [{"id": 1, "display_title": title} for title in titles]}, 200

    def _jobs(self, _: Request) -> tuple[Any, int]:
        over = self._github.conclusions if self._github else []
        name = self._github.runners[0].name if self._github and self._github.runners else None
        job = {
            "status": "completed" if over else "queued",
            "conclusion": over[0]["conclusion"] if over else None,
            "runner_name": name,
            "html_url": "https://github.example/job",
        }
        return {"jobs": [job]}, 200
