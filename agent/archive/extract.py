"""Plain tar in, a tree on the disk out; as a program of its own, the second process of one pass.

`python -m agent.archive.extract '{"memory": 5, …}'`, in the directory that is unpacked into. One line of JSON comes out. Inflating
and writing take about as long as each other, and two threads of one interpreter do them no faster than one.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from agent.archive.handover import GiverGone, taken
from agent.archive.limits import MEND
from agent.archive.tar import Plain, members
from agent.archive.tree import Tree
from agent.errors import ArchiveError


def extract(
    pieces: Iterator[bytes | memoryview],
    into: Path,
    *,
    owner: tuple[int, int] | None,
    most_members: int,
) -> int:
    """Takes the pieces to their end, and returns how many members there were.

    Args:
        pieces: of a plain tar; each is done with before the next one is asked for.
        into: an empty directory.
        owner: uid and gid for everything; the process's own when None.
        most_members: beyond them the archive is refused.

    Raises:
        ArchiveError: damaged, unsafe, or with too many members.
        OSError: the disk would not take it.
    """
    plain, tree = Plain(pieces), Tree(into, owner)
    for member in members(plain):
        if tree.members >= most_members:
            raise ArchiveError(f"the archive has more than {most_members} files", mend=MEND)
        tree.add(member, plain.content(member.size))
    plain.drain()
    return tree.members


def main(given: str) -> int:
    """Says what came of it on stdout: `members`, or what the archive or the disk would not have."""
    asked = json.loads(given)
    pieces = taken(asked["memory"], asked["lengths"], asked["free"])
    owner = tuple(asked["owner"]) if asked["owner"] else None
    said: dict[str, int | str | None]
    try:
        said = {"members": extract(pieces, Path(), owner=owner, most_members=asked["most_members"])}
    except ArchiveError as exc:
        said = {"archive": exc.what}
    except OSError as exc:
        said = {"disk": exc.errno}
    except GiverGone:
        return 1
    os.write(1, json.dumps(said).encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
