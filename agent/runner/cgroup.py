"""A cgroup of the runner's own: the kernel ends all of a job at once (cgroup v2, `cgroup.kill` of Linux 5.14).

Membership is inherited in `fork`, whatever a process does with its session, parents, signals or user. It takes root, or a service
with `Delegate=yes`; elsewhere `make` gives None, and the sweep through /proc works alone.

Not covered, so the sweep always follows a kill: a process that moved itself out, which takes root (or the agent's own user where
the cgroup is delegated to it), and one that a service of the machine started for the job, such as a container of Docker's.
"""

import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agent.events import event, warning

log = logging.getLogger(__name__)

MOUNTS = Path("/proc/self/mountinfo")
OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class RunnerCgroup:
    """A cgroup v2 and all below it: a job may make cgroups of its own. Made by `make`; nothing here raises."""

    path: Path

    @property
    def procs_file(self) -> Path:
        """Where a process writes its own pid to enter, while it still has the agent's privileges; what it forks is inside too."""
        return self.path / "cgroup.procs"

    def members(self) -> tuple[int, ...]:
        """Pids of all that runs inside, zombies left out; empty when there is no such cgroup."""
        words: set[str] = set()
        for folder in self._folders():
            with suppress(OSError):  # removed meanwhile, or threaded: then the one above lists them
                words.update((folder / "cgroup.procs").read_text().split())
        return tuple(sorted({int(word) for word in words} - {0}))  # 0: of another pid namespace

    def kill(self) -> bool:
        """SIGKILL to all inside, also to what is frozen, in a cgroup below, or forking.

        It does not wait for their end: see `populated`. The cgroup stays and can be used again.

        Returns:
            true when the kernel took it; false, with a warning, when not, or when this process is itself inside.
        """
        why: object = "this process is inside"
        if os.getpid() not in self.members():
            try:
                _write(self.path / "cgroup.kill", "1")
            except OSError as exc:
                why = exc
            else:
                return True
        warning(log, "runner.cgroup_not_killed", path=self.path, why=why)
        return False

    def populated(self) -> bool:
        """Whether anything runs inside, zombies left out; false when there is no such cgroup."""
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text().splitlines()
        except OSError:
            return False

    def remove(self) -> bool:
        """Removes it with those below; true when it is gone, false when something still runs inside."""
        *below, itself = reversed(self._folders())
        for folder in below:
            with suppress(OSError):
                folder.rmdir()
        try:
            with suppress(FileNotFoundError):
                itself.rmdir()
        except OSError as exc:
            event(log, "runner.cgroup_not_removed", why=exc)
            return False
        return True

    def _folders(self) -> list[Path]:
        """Itself first, the deepest last. No recursion: the job decides how deep it goes."""
        found = [self.path]
        for folder in found:
            with suppress(OSError), os.scandir(folder) as entries:
                found += [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        return found


def make(name: str, *, mounts: Path = MOUNTS, own: Path = OWN) -> RunnerCgroup | None:
    """Makes the cgroup `runner-<name>` inside this process's own, or takes over the one of an earlier life, with its members.

    One that is taken over is thawed: a frozen one would stop whatever enters it.

    Args:
        name: a slash in it becomes a `-`; the same in every life of the agent that is to find it.
        mounts: this process's mounts, as in man 5 proc_pid_mountinfo.
        own: this process's cgroups, as in man 7 cgroups.

    Returns:
        None where it cannot be done; an event says why. Never raises.
    """
    try:
        parent = _own_folder(mounts.read_bytes(), own.read_bytes())
        cgroup = RunnerCgroup(parent / f"runner-{name.replace('/', '-')}")
        _write(parent / "cgroup.procs")  # the kernel asks for this right too when a process enters
        made = not cgroup.path.exists()
        cgroup.path.mkdir(exist_ok=True)
        try:
            cgroup.path.chmod(0o755)  # whatever the umask: a job may look up its limits
            _write(cgroup.path / "cgroup.freeze", "0")
            _write(cgroup.path / "cgroup.kill")
            _write(cgroup.procs_file)
            cgroup.procs_file.read_bytes()  # refused where the cgroup could hold threads only
        except OSError:
            if made:
                cgroup.remove()
            raise
    except (OSError, ValueError) as exc:
        event(log, "runner.no_cgroup", why=exc)
        return None
    event(log, "runner.cgroup", path=cgroup.path, taken_over=not made)
    return cgroup


def _own_folder(mounts: bytes, own: bytes) -> Path:
    named = (line[3:] for line in own.splitlines() if line.startswith(b"0::/"))
    path = PurePosixPath(os.fsdecode(next(named, b"..")))
    for line in mounts.splitlines():
        mount, _, kind = line.partition(b" - ")
        if kind.startswith(b"cgroup2 "):
            root, point = map(_unescaped, mount.split(b" ")[3:5])
            if ".." not in path.parts and path.is_relative_to(root):
                return Path(point) / path.relative_to(root)
    raise FileNotFoundError("no cgroup2 mount shows this process's own cgroup")


def _unescaped(field: bytes) -> str:
    """Blanks and backslashes are octal in there."""
    return os.fsdecode(re.sub(rb"\\([0-3][0-7]{2})", lambda m: bytes([int(m[1], 8)]), field))


def _write(path: Path, text: str = "") -> None:
    """Without a text it only shows whether one could be written; never makes a file."""
    with os.fdopen(os.open(path, os.O_WRONLY), "wb", buffering=0) as file:
        if text:
            file.write(text.encode())
