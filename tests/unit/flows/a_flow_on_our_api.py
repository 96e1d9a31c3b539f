"""A program: one flow with three tasks on our own API in a thread, then what the database and the API say, as JSON."""

import asyncio
import json
import logging
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from flows.api import left_out, slim
from flows.api.own import OwnApi
from flows.prefect_environment import settle

LAST_WORDS = 100


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code


def routes_missing() -> list[str]:
    """Of the routes that are to be kept, those that Prefect does not have."""
    kept = {
        (name, method, route.path.removeprefix(module.router.prefix))
        for name in slim.ROUTERS
        for module in [sys.modules[f"prefect.server.api.{name}"]]
        for route in module.router.routes
        for method in getattr(route, "methods", None) or ()
    }
    wanted = {(name, *route) for name, routes in slim.ROUTES.items() for route in routes}
    return sorted(map(str, wanted - kept))


async def tell_until_the_end() -> None:
    """Events that come in while the app is told to end."""
    from prefect.server.events import messaging
    from prefect.server.events.schemas.events import Event, Resource

    async with slim._lifespan(migrate=False)(None):
        await asyncio.sleep(0.1)  # the services have no other way to say that they listen
        async with messaging.create_event_publisher() as publisher:
            for number in range(LAST_WORDS):
                await publisher.publish_event(
                    Event(
                        id=uuid4(),
                        occurred=datetime.now(UTC),
                        event="last-word",
                        resource=Resource({"prefect.resource.id": f"agent.{number}"}),
                    ).receive()
                )


def main(home: Path) -> None:
    settle(os.environ, home)
    own = OwnApi(os.environ, stock=False)
    own.load()

    from prefect import flow, task
    from prefect.states import Failed

    @task
    async def works() -> int:
        return 1

    @task(retries=1, retry_delay_seconds=0)
    async def fails() -> None:
        raise ValueError("never works")

    @flow(flow_run_name=lambda: "a name of its own")
    async def a_flow() -> object:
        await works()
        await asyncio.gather(fails(), return_exceptions=True)
        return Failed(message="as it says itself")

    from tests.unit.flows.artifacts_of_a_run import shown_along, shown_to_nobody

    loaded = [name for name in sys.modules if name.startswith("agent.report")]

    async def run() -> tuple[bool, dict[str, object]]:
        up = await own.ready(60)
        await a_flow(return_state=True)
        return up, await shown_along(home)

    up, artifacts = asyncio.run(run())
    asked = {path: status(f"{own.url}/{path}") for path in ("admin/version", "flows/", "health")}
    began = time.monotonic()
    own.stop()
    seconds = time.monotonic() - began
    nobody = asyncio.run(shown_to_nobody(home))
    asyncio.run(tell_until_the_end())
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as database:
        of_it = "FROM flow_run WHERE name = 'a name of its own'"
        flows = database.execute(f"SELECT name, state_type, state_name {of_it}").fetchall()
        tasks = database.execute("SELECT name, state_type, run_count FROM task_run").fetchall()
        last_words = database.execute("SELECT count(*) FROM events WHERE event = 'last-word'")
        kept = last_words.fetchone()[0]
    said = {
        "up": up,
        "alive": own.alive(),
        "stop_seconds": seconds,
        "stranger": asked,
        "routes_missing": routes_missing(),
        "last_words": [kept, LAST_WORDS],
        "flows": flows,
        "tasks": [(name.split("-")[0], *rest) for name, *rest in tasks],
        "left_out": [name for name in left_out.LEFT_OUT if name in sys.modules],
        "threaded": own.threaded(),
        "artifacts": artifacts,
        "report_loaded": loaded,
        "without an API": nobody,
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr)
    main(Path(sys.argv[1]))
