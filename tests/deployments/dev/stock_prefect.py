"""A Prefect server as a developer starts one, and Prefect's own command line against it."""

import subprocess
from pathlib import Path

from deployments.ui.server import PREFECT, PrefectServer

ROOT = Path(__file__).parents[3]


class StockPrefect(PrefectServer):
    """`prefect server start` on loopback, without pages. A context manager."""

    def __init__(self, home: Path) -> None:
        """Starts nothing yet."""
        super().__init__(home, ui=False)

    def cli(self, *words: str, seconds: float = 120) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            [PREFECT, "--no-prompt", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
