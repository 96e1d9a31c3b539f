"""How Prefect is set on an instance; it reads these while it is imported, so they come first."""

import logging
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from pathlib import Path

REACHABLE_SECONDS = 2.0

_EPHEMERAL = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    # The first start on a machine migrates an empty database, on a slow disk.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # Nothing leaves the instance but what the contract names.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


def settle(environment: MutableMapping[str, str], state_dir: Path) -> str | None:
    """Sets Prefect up in the environment; a central server that does not answer is left out and returned."""
    for name, value in {**_EPHEMERAL, "PREFECT_HOME": str(state_dir / "prefect")}.items():
        environment.setdefault(name, value)
    url = environment.get("PREFECT_API_URL")
    if not url or _answers(url):
        return None
    del environment["PREFECT_API_URL"]
    return url


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
