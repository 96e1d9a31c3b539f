"""What systemd is told of the guardian: that it is up, and again and again that it still turns. Standard library only."""

import contextlib
import socket
import time
from collections.abc import Mapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""For the guardian alone: a job must not be able to speak for the agent."""
MICROSECONDS = 1_000_000
OFTEN = 4
"""Times a `WatchdogSec=`; man 3 sd_watchdog_enabled asks for twice at least."""


class Systemd:
    """A service of `Type=notify`; nothing is sent where the agent runs without systemd. Nothing here raises."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Reads the variables of man 3 sd_notify and man 3 sd_watchdog_enabled."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        usec = environment.get("WATCHDOG_USEC", "")
        self._every = int(usec) / MICROSECONDS / OFTEN if usec.isdecimal() else None
        self._next = 0.0

    def ready(self) -> None:
        """The service has started."""
        self._tell(b"READY=1")

    def alive(self) -> None:
        """Called more often than it has to be sent."""
        now = time.monotonic()
        if self._every is not None and now >= self._next:
            self._next = now + self._every
            self._tell(b"WATCHDOG=1")

    def _tell(self, words: bytes) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to,
        ):
            to.sendto(words, self._address)


def without_systemd(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child."""
    return {name: value for name, value in environment.items() if name not in VARIABLES}
