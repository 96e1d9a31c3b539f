"""A runner directory as an image has it, without the runner."""

import json
from pathlib import Path

from agent.archive.staging import FILES, MARKER, PROGRAMS


def bake(runner_dir: Path, sha256: str) -> None:
    """Version 2.336.0 for x64."""
    for name in (*PROGRAMS, *FILES):
        path = runner_dir / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o755)
    marker = {"version": "2.336.0", "arch": "x64", "sha256": sha256, "source": "github"}
    (runner_dir / MARKER).write_text(json.dumps(marker))
