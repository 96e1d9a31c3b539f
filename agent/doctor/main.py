"""`runs-fleet-agent doctor`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from agent.clock import SystemClock
from agent.doctor import place, report
from agent.doctor.examine import examine, examine_image
from agent.errors import SettingsError


def doctor(
    environment: Mapping[str, str],
    *,
    image: bool = False,
    as_json: bool = False,
    send: bool = False,
    environment_file: Path | None = None,
) -> int:
    """Looks at everything and prints what it found to stdout; 0 when all is well, 1 when something is missing.

    Args:
        environment: the agent's; the unit's own file is read beside it, where there is one.
        image: look only at what can be true of an image being baked.
        as_json: for a machine.
        send: really send a message to the queue.
        environment_file: another file than the unit's.
    """
    try:
        whole = place.with_file(environment, environment_file)
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return 1
    findings = examine_image(whole) if image else examine(whole, SystemClock(), send=send)
    shown = report.as_json(findings) if as_json else report.as_text(findings)
    sys.stdout.write(f"{shown}\n")
    return 0 if report.all_well(findings) else 1
