"""`make artefact`: dist/runs-fleet-agent-{version}-{arch}.pex, its SHA-256 and its bill of materials."""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from agent import __version__
from deployments.artefact import sbom
from deployments.artefact.assemble import COMMAND, assemble
from deployments.artefact.targets import MACHINES, targets
from deployments.artefact.wheels import (
    ROOT,
    BuildError,
    download,
    locked_digests,
    own_wheel,
    read_lock,
)

BUILD = ".build"
"""In the output folder: the wheels that were downloaded, kept for the next build."""


def main(arguments: Sequence[str]) -> int:
    """Builds for every architecture that was asked for; 1, and one message, when that fails."""
    parser = argparse.ArgumentParser("make artefact", description=__doc__)
    parser.add_argument("--arch", choices=tuple(MACHINES), action="append", help="all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="where downloads are kept")
    given = parser.parse_args(arguments)
    try:
        for arch in given.arch or MACHINES:
            path = build(arch, given.out, store=given.wheels)
            sys.stdout.write(f"{sha256_of(path)}  {path}  {path.stat().st_size / 1e6:.0f} MB\n")
    except BuildError as exc:
        sys.stderr.write(f"artefact: {exc}\n")
        return 1
    return 0


def build(arch: str, out: Path, *, store: Path | None = None) -> Path:
    """Builds one architecture's artefact, its `.sha256` and its `.cdx.json` into `out`.

    Args:
        arch: `x64` or `arm64`.
        out: the folder; files of an earlier build are replaced.
        store: where downloaded wheels are kept.

    Raises:
        BuildError: in a few lines, why not.
    """
    work = (out / BUILD).resolve()
    work.mkdir(parents=True, exist_ok=True)
    its_targets = targets(arch)
    wheels = download(read_lock(work), its_targets, (store or work / "wheels").resolve())
    read = [sbom.Wheel.read(wheel) for wheel in wheels]
    _compare_with_the_lock(read)
    ours = work / arch
    shutil.rmtree(ours, ignore_errors=True)
    ours.mkdir()
    own = own_wheel(ours)
    path = out.resolve() / f"{COMMAND}-{__version__}-{arch}.pex"
    assemble([own, *wheels], __version__, its_targets, path)
    bill = sbom.bill(path, read, its_targets, own=sbom.Wheel.read(own))
    path.with_suffix(".cdx.json").write_text(sbom.as_json(bill))
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _compare_with_the_lock(wheels: Sequence[sbom.Wheel]) -> None:
    allowed = locked_digests()
    for wheel in wheels:
        if wheel.sha256 not in allowed:
            raise BuildError(
                f"{wheel.file_name} has SHA-256 {wheel.sha256}, which requirements/run.txt does not name"
            )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
