"""A process that cannot be mistaken for another: its pid together with the moment it started."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_DEAD = ("Z", "X", "x")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Pids come round again; a pid with its start time does not (within one boot)."""

    pid: int
    start_ticks: int
    """Clock ticks after boot: field 22 of /proc/PID/stat (man 5 proc)."""

    def alive(self) -> bool:
        """True while this very process runs; a zombie is dead."""
        stat = read_stat(self.pid)
        return stat is not None and stat.identity == self and not stat.dead

    def send(self, number: int) -> bool:
        """Sends a signal to this process, never to a later one with its pid; false when it could not be sent."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Stat:
    """What the agent needs of /proc/PID/stat."""

    identity: ProcessIdentity
    parent: int
    session: int
    dead: bool
    """A zombie: nothing of it runs any more, its parent has only not asked for its status."""

    @property
    def pid(self) -> int:
        return self.identity.pid


def read_stat(pid: int, proc: Path = PROC) -> Stat | None:
    """The process's state now; None when there is none."""
    try:
        text = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may itself hold spaces, parentheses and line breaks.
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 20:  # noqa: PLR2004 - up to starttime
        return None
    return Stat(
        ProcessIdentity(pid, int(fields[19])),
        parent=int(fields[1]),
        session=int(fields[3]),
        dead=fields[0].decode() in _DEAD,
    )


def all_processes(proc: Path = PROC) -> Iterator[Stat]:
    """Every process of the machine that the agent can see."""
    for name in os.listdir(proc):  # noqa: PTH208 - a name is all that is needed of each
        if name.isdecimal() and (stat := read_stat(int(name), proc)):
            yield stat
