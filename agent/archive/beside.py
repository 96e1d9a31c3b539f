"""Extracts in a process beside this one, which fetches, hashes and inflates meanwhile: two cores for one archive."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.archive.handover import Giver
from agent.archive.limits import MEND
from agent.errors import ArchiveError, RunnerDirError

FROM_BYTES = 8 << 20
"""Of an archive, compressed: a smaller one is done by the time that a process has started."""
END_SECONDS = 60.0
"""From the last byte to the process's own end: a slow disk may still be at the last files."""


def extract_beside(
    pieces: Iterator[bytes],
    into: Path,
    *,
    owner: tuple[int, int] | None,
    most_members: int,
    check: Callable[[], None],
    end_seconds: float = END_SECONDS,
) -> int:
    """As `agent.archive.extract.extract`.

    Args:
        pieces: each of at most `PIECE_BYTES`.
        into: an empty directory.
        owner: uid and gid for everything; the agent's own when None.
        most_members: beyond them the archive is refused.
        check: called while it waits; what it raises ends both.
        end_seconds: how long the process may take from the last byte on.

    Raises:
        ArchiveError: damaged, unsafe, or with too many members.
        RunnerDirError: the process died, or did not end in time.
        OSError: the disk would not take it, or there is no process to be had.
    """
    with Giver() as giver:
        memory, lengths, free = giver.inherited
        asked = {
            "memory": memory,
            "lengths": lengths,
            "free": free,
            "owner": owner,
            "most_members": most_members,
        }
        with subprocess.Popen(
            # -P: nothing is imported from where the archive is written.
            [sys.executable, "-P", "-m", __package__ + ".extract", json.dumps(asked)],
            cwd=into,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=giver.inherited,
        ) as process:
            try:
                giver.started()
                if all(giver.give(piece, check) for piece in pieces if piece):
                    giver.end()
                said, _ = process.communicate(timeout=end_seconds)
            except subprocess.TimeoutExpired as exc:
                raise RunnerDirError(
                    f"the process that unpacks the archive did not end within {end_seconds:g} s of its last byte",
                    mend="look at the volume: it takes no more writes",
                ) from exc
            finally:
                # Whatever is raised here, nothing goes on writing into a directory that is about to be removed.
                process.kill()
    return _members(json.loads(said or b"{}"), process.returncode)


def _environment() -> dict[str, str]:
    """What an archive from outside is read with has no use for a token or a key."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RUNS_FLEET_"))}


def _members(said: dict[str, Any], status: int) -> int:
    if "archive" in said:
        raise ArchiveError(said["archive"], mend=MEND)
    if "disk" in said:
        raise OSError(said["disk"], os.strerror(said["disk"]))
    if "members" not in said:
        raise RunnerDirError(
            f"the process that unpacks the archive ended with status {status}",
            mend="look for the OOM killer in the kernel's log",
        )
    members: int = said["members"]
    return members
