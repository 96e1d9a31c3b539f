"""The last resort: the power-off command, where one is set."""

import logging
import shlex
import subprocess

from agent.events import event, warning

log = logging.getLogger(__name__)
POWER_OFF_TIMEOUT_SECONDS = 20


def power_off(command: str | None, *, timeout_seconds: float = POWER_OFF_TIMEOUT_SECONDS) -> bool:
    """Runs the command without a shell; true when it ended with status 0. Without a command nothing is ever switched off."""
    if not command or not command.strip():
        warning(log, "instance.no_power_off_command", mend="set RUNS_FLEET_POWER_OFF_COMMAND")
        return False
    try:
        done = subprocess.run(
            shlex.split(command),
            timeout=timeout_seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        warning(log, "instance.power_off_failed", command=command, error=exc)
        return False
    say = event if done.returncode == 0 else warning
    say(log, "instance.power_off", command=command, exit_code=done.returncode)
    return done.returncode == 0
