"""The archive alone: the shell way, then ours over HTTP and out of S3, each in a process of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.localcloud.runner.build import BuiltArchive
from benchmarks.boot.files import serving
from benchmarks.boot.shell import Shell, shell_way


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One time of ours."""

    seconds: float
    cpu_seconds: float
    """Of the agent's process and of the one beside it."""
    peak_mb: float
    """PSS of both, more than before the pass."""
    members: int


@dataclass(frozen=True, slots=True)
class Unpacking:
    """One round."""

    shell: Shell
    of: dict[str, Unpacked]


def unpacking(archive: BuiltArchive, folder: Path) -> Unpacking:
    """Each once."""
    with serving(archive.path) as url:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            shell = shell_way(f"{url}/archive", archive.sha256, Path(place))
        ours = {
            "GitHub": _ours(f"{url}/archive", archive.sha256, folder),
            "S3": _ours(url, archive.sha256, folder, "s3"),
        }
    return Unpacking(shell, ours)


def _ours(url: str, sha256: str, folder: Path, *more: str) -> Unpacked:
    place = tempfile.mkdtemp(dir=folder)
    command = [sys.executable, "-m", "benchmarks.boot.unpack", url, sha256, place, *more]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    shutil.rmtree(place)
    return Unpacked(**json.loads(said.stdout))
