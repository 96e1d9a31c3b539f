"""The files that the runner and the agent write into; they stay until the instance ends."""

import logging
from pathlib import Path

from agent.events import warning

log = logging.getLogger(__name__)

SPOOL = "logs"
"""The folder's name in the state directory."""


class Spool:
    """`{state}/logs/`: a folder for nobody but the agent, and the names of the files in it."""

    def __init__(self, state_dir: Path) -> None:
        """Makes the folder, mode 0700; where it cannot be made, a warning says so and the run goes on."""
        self.directory = state_dir / SPOOL
        self.agent = self.directory / "agent.log"
        """The agent's own lines."""
        self.config = self.directory / "config.log"
        """What `config.sh` prints."""
        self.run = self.directory / "run.log"
        """What `run.sh` prints."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
        except OSError as exc:
            warning(log, "spool.unusable", path=self.directory, error=exc)
