"""Prefect's API app with only what a run of a flow asks it for: Prefect's own routes, rules, models and database.

The stock app takes 2.2 s of a core to import and build; this one takes half of what is left once Prefect's client is imported.
What is private to Prefect about it is here and in `left_out`.
"""

import asyncio
import base64
import hmac
import secrets
import sqlite3
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.warnings import UnsupportedFieldAttributeWarning

from flows.api.left_out import leave_out

PREFECT = "3.8.8"
"""The release that this was made for; any other is served the stock way."""
READ_SECONDS = 1.0
WRITE_DOWN_SECONDS = 1.0
LOOK_SECONDS = 0.005
ROUTERS = ("flows", "flow_runs", "artifacts", "admin", "events")
ROUTES = {
    "flows": {("POST", "/"), ("GET", "/{id:uuid}")},
    "flow_runs": {
        ("POST", "/"),
        ("GET", "/{id:uuid}"),
        ("PATCH", "/{id:uuid}"),
        ("POST", "/{id:uuid}/set_state"),
    },
    "artifacts": {("POST", "/"), ("PATCH", "/{id:uuid}")},
    "admin": {("GET", "/version"), ("GET", "/storage")},
}
"""What a run calls. Making one route costs up to 2 ms, and Prefect has 300. Task runs and events come through a websocket."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def fits() -> bool:
    """Whether the Prefect that is installed is the one that this was made for."""
    return version("prefect") == PREFECT


def build(auth_string: str, *, migrate: bool) -> App:
    """The app; importing what it needs takes a second, and must come before Prefect is imported by anything else.

    Args:
        auth_string: what each request must carry, as Prefect's `PREFECT_API_AUTH_STRING` has it: the job shares the machine.
        migrate: whether the database has to be brought to this Prefect's tables first.
    """
    leave_out(
        {
            "prefect.server.api.server": {"is_client_retryable_exception": _worth_another_try},
            "coolname": {"generate": lambda _: ["run", secrets.token_hex(4)]},
        }
    )
    defer_models()
    with_few_routes(ROUTES)
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse
    from prefect.server.exceptions import ObjectNotFoundError

    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for name in ROUTERS:
        api.include_router(import_module(f"prefect.server.api.{name}").router)

    @api.exception_handler(ObjectNotFoundError)
    async def not_found(_: object, error: ObjectNotFoundError) -> JSONResponse:
        return JSONResponse({"exception_message": str(error)}, status_code=404)

    @api.get("/health")
    async def health() -> bool:
        return True

    app = FastAPI(lifespan=_lifespan(migrate=migrate), openapi_url=None)
    app.mount("/api", api)
    return _only_for(auth_string, app)


def defer_models() -> None:
    """Lets pydantic build a model when it is first used: of Prefect's 500, a run uses a tenth."""
    BaseModel.model_config["defer_build"] = True
    # What pydantic then says of Prefect's own models, it says of them built at once too, where Prefect silences it.
    warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


def with_few_routes(wanted: dict[str, set[tuple[str, str]]]) -> None:
    """Makes Prefect's routers leave out the routes that nobody calls, while they are imported."""
    from prefect.server.utilities.server import PrefectRouter

    add = PrefectRouter.add_api_route

    def add_wanted(self: PrefectRouter, path: str, endpoint: Callable[..., Any], **more: Any) -> None:  # fmt: skip
        routes = wanted.get(endpoint.__module__.rpartition(".")[2], set())
        if any((method, path) in routes for method in more.get("methods") or ["GET"]):
            add(self, path, endpoint, **more)

    PrefectRouter.add_api_route = add_wanted  # type: ignore[method-assign]


def _lifespan(*, migrate: bool) -> Callable[[Any], Any]:
    """As the stock app of an ephemeral server: tables, then the services that write task runs and events down."""
    from prefect.server.database import provide_database_interface
    from prefect.server.events.services.event_persister import EventPersister
    from prefect.server.services.task_run_recorder import TaskRunRecorder

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        if migrate:
            await provide_database_interface().create_db()
        services = [TaskRunRecorder(), EventPersister()]  # type: ignore[no-untyped-call]
        running = [asyncio.create_task(service.start()) for service in services]
        yield
        with suppress(TimeoutError):
            await asyncio.wait_for(_all_read(services), READ_SECONDS)
        for service in services:
            with suppress(AssertionError):  # it had not begun yet
                await service.stop()
        # What they have gathered they write down while they end.
        await asyncio.wait(running, timeout=WRITE_DOWN_SECONDS)

    return lifespan


async def _all_read(services: Sequence[Any]) -> None:
    """Until each has read what came in: what is unread when it is stopped, it drops."""
    begun = [service for service in services if service.consumer_task is not None]
    queues = [service.consumer.subscription._queue for service in begun]  # noqa: SLF001
    while any(queue.qsize() for queue in queues):  # noqa: ASYNC110 - it tells nobody when it is empty
        await asyncio.sleep(LOOK_SECONDS)


def _only_for(auth_string: str, app: App) -> App:
    wanted = b"Basic " + base64.b64encode(auth_string.encode())

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, wanted):
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        # A websocket is asked for the same string by Prefect itself.
        await app(scope, receive, send)

    return guarded


def _worth_another_try(error: Exception) -> bool:
    """As Prefect's own answer to it for SQLite: somebody else held the database."""
    origin = getattr(error, "orig", None)
    return isinstance(origin, sqlite3.OperationalError) and (
        "locked" in str(origin) or "busy" in str(origin)
    )
