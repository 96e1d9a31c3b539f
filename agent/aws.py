"""The one place that makes boto3 clients: region, timeouts, retries, user agent."""

import threading
from typing import Any

import boto3
from botocore.config import Config

from agent import __version__


class Clients:
    """Clients of one region, each made once. Safe to use from several threads."""

    def __init__(self, region: str | None) -> None:
        """Remembers the region; nothing is asked of AWS before the first client's first call."""
        self._region = region
        self._lock = threading.Lock()
        self._session: Any = None
        self._made: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        """The client of a service such as `ssm`.

        One call takes at most 2 attempts of 3 s to connect and 10 s to answer, so under 30 s in all.

        Raises:
            botocore.exceptions.NoRegionError: where no region is known.
        """
        with self._lock:
            if service not in self._made:
                self._session = self._session or boto3.session.Session(region_name=self._region)
                self._made[service] = self._session.client(service, config=_CONFIG)
            return self._made[service]


_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra=f"runs-fleet-agent/{__version__}",
)
