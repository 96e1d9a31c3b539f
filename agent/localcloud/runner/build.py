"""Lays the stand-in runner down as a tree, or packs it as GitHub packs the real one."""

import gzip
import hashlib
import io
import platform
import random
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from agent.localcloud.runner.scenario import Scenario

HERE = Path(__file__).parent
BUILD_USER = 1001
"""The uid of GitHub's build machines, which their archives carry."""
_ARCH = {"x86_64": "x64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class BuiltArchive:
    """An archive on the disk."""

    path: Path
    sha256: str
    size: int
    version: str
    arch: str
    name: str


def files(scenario: Scenario, interpreter: str = sys.executable) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file that is the runner itself."""
    tree = {path.name: (path.read_bytes(), 0o755) for path in sorted((HERE / "tree").iterdir())}
    for program in ("listener", "worker", "configure"):
        code = (HERE / "programs" / f"{program}.py").read_bytes()
        tree[f"bin/Runner.{program.title()}"] = (f"#!{interpreter} -ES\n".encode() + code, 0o755)
    tree["bin/installdependencies.sh"] = (b"#!/bin/bash\n", 0o755)
    tree["scenario.json"] = (scenario.model_dump_json(indent=1).encode(), 0o644)
    return tree


def unpack_for_tests(scenario: Scenario, into: Path, *, interpreter: str = sys.executable) -> Path:
    """Lays the tree down without an archive."""
    for name, (content, mode) in files(scenario, interpreter).items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    return into


def build_archive(
    destination: Path,
    scenario: Scenario,
    *,
    interpreter: str = sys.executable,
    filler_files: int = 300,
    filler_bytes: int = 4_000_000,
    arch: str | None = None,
) -> BuiltArchive:
    """Packs the stand-in like the real archive: `./` first, foreign owner, node trees, a link inside the tree. Deterministic.

    Args:
        destination: a directory, made when it is missing.
        scenario: goes into the archive.
        interpreter: runs the listener and the worker.
        filler_files: how many files the node trees have.
        filler_bytes: their size in all.
        arch: as GitHub names it; this machine's when None.
    """
    arch = arch or _ARCH.get(platform.machine(), "x64")
    name = f"actions-runner-linux-{arch}-{scenario.version}.tar.gz"
    destination.mkdir(parents=True, exist_ok=True)
    path = destination / name
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        add_runner(archive, scenario, interpreter)
        _fill(archive, filler_files, filler_bytes)
    path.write_bytes(gzip.compress(plain.getvalue(), compresslevel=1, mtime=0))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return BuiltArchive(path, digest, path.stat().st_size, scenario.version, arch, name)


def add_runner(
    archive: tarfile.TarFile, scenario: Scenario, interpreter: str = sys.executable
) -> None:
    """Packs the runner itself, without what makes the real one large."""
    _folder(archive, "./")
    for folder in ("./bin", "./externals"):
        _folder(archive, folder)
    for member, (content, mode) in files(scenario, interpreter).items():
        _file(archive, f"./{member}", content, mode)


def _fill(archive: tarfile.TarFile, count: int, size: int) -> None:
    """Half of it compresses well, half hardly, like a node tree."""
    chance = random.Random(7)
    each = size // max(count, 1)
    for number in range(count):
        content = (
            chance.randbytes(each) if number % 2 else (b"module.exports = {};\n" * each)[:each]
        )
        _file(archive, f"./externals/node20/lib/node_modules/m{number % 50}/{number}.js", content, 0o644)  # fmt: skip
    _file(archive, "./externals/node20/lib/node_modules/npm/bin/npm-cli.js", b"// npm\n", 0o755)
    link = tarfile.TarInfo("./externals/node20/bin/npm")
    link.type, link.linkname = tarfile.SYMTYPE, "../lib/node_modules/npm/bin/npm-cli.js"
    link.uid = link.gid = BUILD_USER
    archive.addfile(link)


def _folder(archive: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    info.uid = info.gid = BUILD_USER
    archive.addfile(info)


def _file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    info.uid = info.gid = BUILD_USER
    archive.addfile(info, io.BytesIO(content))
