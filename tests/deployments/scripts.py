"""What every shell script of the project is held to."""

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def assert_clean(script: str) -> None:
    """By shellcheck and shfmt, which come with the development requirements."""
    for command in ([str(BIN / "shellcheck"), "-"], [str(BIN / "shfmt"), "-i", "2", "-ci", "-d"]):
        done = subprocess.run(
            command, check=False, input=script, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
