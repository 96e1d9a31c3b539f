"""How long each child of the guardian may take. Standard library only: the settings' own module costs third-party imports."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULTS = {
    "RUNS_FLEET_STANDBY_DEADLINE_MINUTES": 120.0,
    "RUNS_FLEET_MAX_RUNTIME_MINUTES": 360.0,
    "RUNS_FLEET_GRACE_SECONDS": 90.0,
    "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": 60.0,
}
FALSE = ("false", "0", "no", "off", "n", "f")
"""As the settings take them."""
BOOT_SECONDS = 600.0
"""For everything else that the flow does: Prefect's start, download, register. With `end` behind it, it is over before the
dead-man timer's 15 minutes are."""
LARGEST = 1_000_000.0
"""As in the settings."""
MARGIN_SECONDS = 60.0
"""Calls to AWS that were begun just before the finish timeout end within this, and the power-off command."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds; made of the same variables as the settings, wrong ones by default."""

    flow: float
    """All lives of the flow together."""
    stop: float
    """From a stop request to the flow's exit."""
    end: float
    """`runs-fleet-agent end`, with a runner that has to be stopped first."""
    after_end: float = 5.0
    """For a flow whose terminate call was made: what Prefect still does then must not keep the guardian."""
    silent: float = 180.0
    """A flow whose event loop has not turned for so long hangs. Prefect's start holds it up for 60 s at most."""

    tries: float = 3600.0
    """How long `end` is tried again and again, where it could not end the instance."""
    pause: float = 30.0
    """Between two of those."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Limits":
        value = {name: _number(environment, name) for name in DEFAULTS}
        grace = value["RUNS_FLEET_GRACE_SECONDS"]
        minutes = (
            value["RUNS_FLEET_STANDBY_DEADLINE_MINUTES"] + value["RUNS_FLEET_MAX_RUNTIME_MINUTES"]
        )
        end = grace + value["RUNS_FLEET_FINISH_TIMEOUT_SECONDS"] + MARGIN_SECONDS
        return cls(flow=minutes * 60 + BOOT_SECONDS, stop=end + MARGIN_SECONDS, end=end)


def _number(environment: Mapping[str, str], name: str) -> float:
    try:
        value = float(environment.get(name, ""))
    except ValueError:
        return DEFAULTS[name]
    return value if 0 < value <= LARGEST else DEFAULTS[name]  # also turns NaN away
