"""What no archive of a runner comes near, and how much of one is in memory at once."""

from dataclasses import dataclass

PIECE_BYTES = 512 * 1024
"""Plain bytes handed on at once, however many more there are in a slice."""
MEND = "launch again, since a damaged download mends itself; if it happens again, delete the archive from the cache bucket and check the proxy in between"


@dataclass(frozen=True, slots=True)
class Limits:
    """What no runner comes near; beyond it the archive is refused."""

    archive_bytes: int = 1 << 30
    unpacked_bytes: int = 6 << 30
    members: int = 200_000
    ratio: int = 60
    """Unpacked to compressed, looked at from `ratio_from_bytes` unpacked bytes on; a runner's is about 3."""
    ratio_from_bytes: int = 64 << 20
