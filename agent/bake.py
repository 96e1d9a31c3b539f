"""`python -m agent.bake`: puts a runner's archive in its place while an image is made, as the agent itself does on an instance."""

import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.archive.staging import Marker, check_layout, installed, make_staging, put_in_place
from agent.archive.unpack import unpack
from agent.arguments import Parser
from agent.clock import SystemClock
from agent.errors import AgentError, DigestMismatch

CHUNK_BYTES = 65_536


def bake(
    archive: Path, runner_dir: Path, *, version: str, arch: str, sha256: str, owner: tuple[int, int]
) -> bool:
    """Unpacks the archive beside the runner directory and makes it the runner by one rename; can be called again.

    Args:
        archive: as GitHub publishes it.
        runner_dir: the agent uses what is there as it is, where it wants this version and digest.
        version: such as `2.336.0`; not looked for in the archive.
        arch: `x64` or `arm64`.
        sha256: of the archive, lower-case hex.
        owner: uid and gid of whoever is to run it.

    Returns:
        False where this runner stood there already.

    Raises:
        DigestMismatch: the archive is another one; what stood in the runner directory is still there.
        ArchiveError: it is no runner, damaged or unsafe.
        RunnerDirError: the disk would not take it.
        OSError: the archive cannot be read.
    """
    there = installed(runner_dir)
    if there and (there.version, there.sha256) == (version, sha256):
        return False
    staged = make_staging(runner_dir)
    try:
        unpacked = unpack(
            _chunks(archive), staged, clock=SystemClock(), owner=owner, stop=threading.Event()
        )
        if unpacked.sha256 != sha256:
            raise DigestMismatch(
                f"{archive} has SHA-256 {unpacked.sha256}, not {sha256}",
                mend="it was not put in its place; take the digest from the release of this very version",
            )
        check_layout(staged)
        put_in_place(staged, runner_dir, Marker(version, arch, sha256, "image"), owner)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return True


def main(arguments: Sequence[str]) -> int:
    """The exit status; results go to stdout, what is wrong to stderr in one line."""
    parser = Parser("python -m agent.bake", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("runner_dir", type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--arch", required=True, choices=("x64", "arm64"))
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--owner", required=True, type=_owner, metavar="UID:GID")
    given = parser.parse_args(arguments)
    try:
        fresh = bake(**vars(given))
    except (AgentError, OSError) as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return 1
    how = "put into" if fresh else "already in"
    sys.stdout.write(f"runner {given.version} is {how} {given.runner_dir}\n")
    return 0


def _chunks(archive: Path) -> Iterator[bytes]:
    with archive.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _owner(text: str) -> tuple[int, int]:
    uid, gid = text.split(":")
    return int(uid), int(gid)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
