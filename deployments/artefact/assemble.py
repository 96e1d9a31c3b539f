"""Wheels in, one PEX out."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deployments.artefact.targets import Target
from deployments.artefact.wheels import ROOT, SOURCE_DATE_EPOCH, BuildError

ASSEMBLE_SECONDS = 600
COMMAND = "runs-fleet-agent"
OPTIONS = (
    f"--script={COMMAND}",
    # Started as a file it makes itself a virtual environment first: the agent starts its own children by `sys.executable -m`.
    # Not in PATH: a job's `python3` is not the agent's.
    "--venv",
    # `PEX_TOOLS=1 python3 FILE venv DIR`: what an instance does.
    "--include-tools",
    # The wheels as they were published, byte for byte: their digests can be compared with the lock, and no zlib of ours is in the result.
    "--no-pre-install-wheels",
    "--no-compress",
    "--max-install-jobs=0",
    "--python-shebang=/usr/bin/env python3",
    "--check=error",
    # What is set on the build machine stays there.
    "--no-pypi",
    "--disable-cache",
    "--rcfile=/dev/null",
)


def assemble(wheels: Sequence[Path], version: str, targets: Sequence[Target], into: Path) -> None:
    """Writes the PEX of our version; the same wheels make the same bytes.

    Raises:
        BuildError: the wheels are not all that is needed, for one of the targets.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            *(sys.executable, "-m", "pex", f"{COMMAND}=={version}", *OPTIONS),
            *(f"--pre-resolved-dist={wheel}" for wheel in wheels),
            *(f"--complete-platform={_written(target, Path(scratch))}" for target in targets),
            f"--output-file={into}",
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PEX_", "PIP_"))}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
            timeout=ASSEMBLE_SECONDS,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise BuildError(f"pex failed:\n{done.stderr.strip()}")


def _written(target: Target, scratch: Path) -> Path:
    path = scratch / f"{target.python}.json"
    path.write_text(json.dumps(target.as_complete_platform()))
    return path
