"""The one place that makes boto3 clients: region, timeouts, retries, user agent."""

import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from agent import __version__

METADATA_ATTEMPTS = "5"
METADATA_SECONDS = "2"
"""botocore asks IMDS for the role's credentials once, for a second; an instance that is just booting needs more patience."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


class Clients:
    """Clients of one region, each made once. Safe to use from several threads."""

    def __init__(
        self, region: str | None, *, prepare: Mapping[str, Callable[[Any], Any]] | None = None
    ) -> None:
        """Remembers the region; nothing is asked of AWS before the first client's first call.

        Args:
            region: None for the one of boto3's own settings.
            prepare: what is done to a service's client when it is made.
        """
        self._region = region
        self._prepare = prepare or {}
        self._lock = threading.Lock()
        self._session: Any = None
        self._made: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        """The client of a service such as `ssm`.

        One call takes at most 26 s (`ssm`, `s3`), where somebody above it tries again at most 12 s (`sqs`, `ec2`, `logs`). A
        client that found no credentials is not kept: the role of an instance may be a moment late.

        Raises:
            botocore.exceptions.NoRegionError: where no region is known.
        """
        with self._lock:
            if service not in self._made:
                session = self._session = self._session or _session(self._region)
                client = session.client(
                    service, config=_config(*_LIMITS.get(service, _USUAL_LIMITS))
                )
                client = self._prepare.get(service, lambda same: same)(client)
                # Before botocore's own, which takes an expired token for final.
                client.meta.events.register_first("needs-retry", partial(self._renew, session))
                if session.get_credentials() is None:
                    return client
                self._made[service] = client
            return self._made[service]

    def late(self, service: str) -> Any:
        """Passes for the client, which is looked up anew at each call."""
        return _Late(self, service)

    def _renew(
        self,
        session: Any,
        *,
        response: tuple[Any, dict[str, Any]] | None,
        attempts: int,
        request_dict: dict[str, Any],
        **_: Any,
    ) -> float | None:
        """As botocore's `needs-retry`: a call that is refused for the role's expired token is made again with another.

        botocore renews a token by its own clock, some minutes before its end; a clock that jumped, or an instance that slept, is late.
        """
        code = response[1].get("Error", {}).get("Code") if response else None
        if code not in _EXPIRED or attempts > 1:
            return None
        from botocore.credentials import RefreshableCredentials

        if not isinstance(session.get_credentials(), RefreshableCredentials):
            return None
        with self._lock:
            self._session, self._made = _session(self._region), {}
            fresh = self._session.get_credentials()
        if fresh is None:
            return None
        context = request_dict["context"]
        context["signing"] = {**context.get("signing", {}), "request_credentials": fresh}
        return 0


class _Late:
    """A client by another name."""

    def __init__(self, clients: Clients, service: str) -> None:
        self._clients = clients
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clients.get(self._service), name)


@cache
def _service_models(data_path: str | None) -> Any:
    """The descriptions of the services are megabytes of JSON: read once a process, however many sessions there are."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


def share_service_models(core: Any) -> None:
    """Lets a botocore session use those that are read already."""
    core.register_component("data_loader", _service_models(core.get_config_variable("data_path")))


def _session(region: str | None) -> Any:
    # Its imports take 0.1 s, and no process needs them to start.
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    share_service_models(core)
    for variable, value in (
        ("metadata_service_num_attempts", METADATA_ATTEMPTS),
        ("metadata_service_timeout", METADATA_SECONDS),
    ):
        default = core.session_var_map[variable][2]
        if core.get_config_variable(variable) == default:
            core.set_config_variable(variable, value)
    return boto3.session.Session(region_name=region, botocore_session=core)


def _config(connect: float, read: float, attempts: int) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"runs-fleet-agent/{__version__}",
    )


_LIMITS = {
    # A message must fail within its task's limit, or a try that was given up is still sending when the next one begins.
    "sqs": (2, 5, 1),
    "ec2": (2, 6, 1),
    "logs": (2, 10, 1),
}
"""Seconds to connect, seconds for an answer, attempts."""
_USUAL_LIMITS = (3, 10, 2)
