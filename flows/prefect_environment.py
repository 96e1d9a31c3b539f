"""How Prefect is set on an instance; it reads these while it is imported, so they come first."""

import logging
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from flows.api.own import OwnApi
from flows.api.process import answers

CENTRAL_BEGIN_SECONDS = 2.5
"""With the look at its health, what a central server that does not answer may cost stays under 5 s."""
OWN_BEGIN_SECONDS = 60.0
"""The first start on a machine migrates an empty database, perhaps on a slow disk: 12 s were measured."""

_ALWAYS = {
    # There is a server, ours or a central one; without it Prefect is left out.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    # A call that fails is told once more and then given up: nothing that the job needs waits for it.
    "PREFECT_CLIENT_MAX_RETRIES": "1",
    "PREFECT_API_REQUEST_TIMEOUT": "5",
    # Nothing leaves the instance but what the contract names.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A central server shows the agent's lines where somebody asks for it: see `flows.run_log`.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
_OWN = {
    # Client and server are of one installation, and each of these is a call before the first task.
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


@dataclass(frozen=True, slots=True)
class Api:
    """The server that the flow reports to."""

    own: OwnApi | None
    """None where it is a central one, or none could be started."""
    left_out: str | None
    """The address of a central one that did not answer."""
    begin_seconds: float
    """How long Prefect may take to begin the flow, from the moment in which the server is ready."""

    def lost(self) -> bool:
        """Whether it is known that there is no server any more."""
        return not os.environ.get("PREFECT_API_URL") or (
            self.own is not None and not self.own.alive()
        )

    async def ready(self) -> bool:
        return self.own is None or await self.own.ready(OWN_BEGIN_SECONDS)


def settle(environment: MutableMapping[str, str], state_dir: Path) -> None:
    """Sets Prefect up in the environment, but for the server's address."""
    for name, value in {**_ALWAYS, "PREFECT_HOME": str(state_dir / "prefect")}.items():
        environment.setdefault(name, value)


def find_api(environment: MutableMapping[str, str], *, stock: bool = False) -> Api:
    """The central server where one is set and answers, else one of our own, starting; its address is in the environment then.

    Args:
        environment: of this process.
        stock: serve our own by Prefect's own command.
    """
    central = environment.pop("PREFECT_API_URL", None) or None
    if central and answers(central):
        environment["PREFECT_API_URL"] = central
        return Api(None, None, CENTRAL_BEGIN_SECONDS)
    environment["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    for name, value in _OWN.items():
        environment.setdefault(name, value)
    try:
        own = OwnApi(environment, stock=stock)
    except OSError:
        own = None
    return Api(own, central, OWN_BEGIN_SECONDS)


def take_console_away() -> None:
    """Leaves Prefect's words to the agent's own log, which masks secrets and ships to CloudWatch.

    Its loggers of runs have handlers of their own, which would send lines to the server as they are.
    """
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs", "prefect.extra"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
        logger.propagate = True
