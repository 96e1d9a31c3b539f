"""A runner archive of the real one's size and shape: 200 MB packed, some 20,000 files, scripts and shared libraries.

Its content is this very virtual environment: real text and real machine code, and by the lock file the same everywhere.
"""

import gzip
import hashlib
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent.localcloud.runner.build import BuiltArchive, add_runner
from agent.localcloud.runner.scenario import Job, Scenario, Step

FOLDER = Path(__file__).parent / ".archives"
PACKED_BYTES = 200_000_000
LARGE_BYTES = 64 * 1024


def job(seconds: float) -> Scenario:
    """A job that computes nothing for a while."""
    step = Step(name="wait", run=f"sleep {seconds}")
    return Scenario(job=Job(steps=(step,)), time_scale=0.05)


def archive(scenario: Scenario, packed_bytes: int = PACKED_BYTES) -> BuiltArchive:
    """The archive; made once for each scenario and size, which takes half a minute, and kept beside this file."""
    mark = hashlib.sha256(f"{scenario.model_dump_json()}{packed_bytes}{sys.executable}".encode())
    path = FOLDER / f"{mark.hexdigest()[:16]}.tar.gz"
    if not path.exists():
        print("making the archive, once …", file=sys.stderr)
        FOLDER.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=FOLDER, delete=False) as being_made:
            _pack(Path(being_made.name), scenario, packed_bytes)
        Path(being_made.name).replace(path)
    arch = "arm64" if platform.machine() == "aarch64" else "x64"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"actions-runner-linux-{arch}-{scenario.version}.tar.gz"
    return BuiltArchive(path, digest, path.stat().st_size, scenario.version, arch, name)


def _pack(path: Path, scenario: Scenario, packed_bytes: int) -> None:
    with (
        gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        add_runner(tar, scenario)
        for file, name in _contents():
            if path.stat().st_size >= packed_bytes:
                break
            tar.add(file, f"./externals/node20/{name}", recursive=False)


def _contents() -> Iterator[tuple[Path, str]]:
    """All files of the environment, then its large ones again and again: far enough apart for no packer to see it."""
    (site,) = Path(sys.prefix).glob("lib/python3*/site-packages")
    files = [
        path
        for path in sorted(site.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    yield from ((path, f"lib/{path.relative_to(site)}") for path in files)
    large = [path for path in files if path.stat().st_size >= LARGE_BYTES]
    for turn in range(1000):
        yield from ((path, f"bin{turn}/{path.relative_to(site)}") for path in large)
