"""How Prefect is set on an instance; it reads these while it is imported, so they come first."""

import logging
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

REACHABLE_SECONDS = 2.0
CENTRAL_BEGIN_SECONDS = 2.5
"""With the look at its health, what a central server that does not answer may cost stays under 5 s."""
EPHEMERAL_BEGIN_SECONDS = 60.0
"""The first start on a machine migrates an empty database, perhaps on a slow disk: 12 s were measured."""

_ALWAYS = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": f"{EPHEMERAL_BEGIN_SECONDS:.0f}",
    # A call that fails is told once more and then given up: nothing that the job needs waits for it.
    "PREFECT_CLIENT_MAX_RETRIES": "1",
    "PREFECT_API_REQUEST_TIMEOUT": "5",
    # Nothing leaves the instance but what the contract names.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # Prefect's own way of log lines into its database goes past the redactor.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


@dataclass(frozen=True, slots=True)
class Central:
    """What became of a central server, where one was set."""

    left_out: str | None
    """Its address, where it did not answer."""
    begin_seconds: float
    """How long Prefect may take to begin the flow."""


def settle(environment: MutableMapping[str, str], state_dir: Path) -> Central:
    """Sets Prefect up in the environment; a central server that does not answer is left out."""
    for name, value in {**_ALWAYS, "PREFECT_HOME": str(state_dir / "prefect")}.items():
        environment.setdefault(name, value)
    url = environment.get("PREFECT_API_URL")
    if url and _answers(url):
        return Central(None, CENTRAL_BEGIN_SECONDS)
    environment.pop("PREFECT_API_URL", None)
    return Central(url or None, EPHEMERAL_BEGIN_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=REACHABLE_SECONDS):  # noqa: S310 - the settings accept http and https only
            return True
    except (OSError, ValueError, urllib.error.URLError):
        return False


def take_console_away() -> None:
    """Leaves Prefect's words to the agent's own log, which masks secrets and ships to CloudWatch."""
    for name in ("", "prefect"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
    logging.getLogger("prefect").propagate = True
