"""Finds what is left of a runner, wherever it went, and kills it.

`set -m` in `run.sh` gives the listener a process group of its own, steps start daemons, daemons leave the session and lose their
parent. So a process is the runner's when any of these holds:

- it is in `run.sh`'s session;
- it descends from such a process, or was once seen to;
- its environment carries `run.sh`'s mark, or a RUNNER_TRACKING_ID that one of the runner's processes carries;
- it runs as the runner's user and its program or working directory is inside the runner directory;
- `members` names it (a cgroup).

Never the agent itself, its session or its ancestors.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.clock import Clock
from agent.deadline import Deadline
from agent.events import warning
from agent.runner.identity import PROC, ProcessIdentity, Stat, all_processes
from agent.runner.launcher import MARK

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.02
"""Between two sweeps of a kill: what was forked meanwhile dies in the next one."""


class Sweep:
    """Remembers which processes are one runner's."""

    def __init__(
        self,
        root: ProcessIdentity,
        *,
        runner_dir: Path,
        uid: int,
        members: Callable[[], Iterable[int]] = tuple,
    ) -> None:
        """Starts from `run.sh`.

        Args:
            root: `run.sh`, leader of its own session; it may be gone already.
            runner_dir: where its programs are.
            uid: the runner user's.
            members: pids that some other authority knows to be the runner's.
        """
        self.root = root
        self._dir = os.fsencode(runner_dir.resolve())
        self._uid = uid
        self._members = members
        self._mark = f"{MARK}={root.pid}.{root.start_ticks}".encode()
        self._seen: set[ProcessIdentity] = {root}
        self._tracking: set[bytes] = set()

    def left(self) -> list[ProcessIdentity]:
        """The runner's processes that still run."""
        table = {stat.pid: stat for stat in all_processes()}
        strangers = _untouchable(table)
        candidates = [s for s in table.values() if s.pid not in strangers and not s.dead]
        environments = {stat.pid: _environment(stat.pid) for stat in candidates}
        while True:
            found = self._found(candidates, environments)
            learned = {_tracking_id(environments[stat.pid]) for stat in found}
            learned -= {_tracking_id(_environment(os.getpid())), b""}
            if learned <= self._tracking:
                break
            self._tracking |= learned
        self._seen |= {stat.identity for stat in found}
        return [stat.identity for stat in found]

    def _found(self, candidates: list[Stat], environments: dict[int, list[bytes]]) -> list[Stat]:
        members = set(self._members())
        session = self._session(candidates)
        ours = {
            stat.pid
            for stat in candidates
            if stat.pid in members or self._known(stat, session, environments[stat.pid])
        }
        size = -1
        while size != len(ours):
            size = len(ours)
            ours |= {stat.pid for stat in candidates if stat.parent in ours}
        return [stat for stat in candidates if stat.pid in ours]

    def _session(self, candidates: list[Stat]) -> int | None:
        """The session's id; None when its number has come round to somebody else."""
        others = (s for s in candidates if s.pid == self.root.pid and s.identity != self.root)
        return None if any(others) else self.root.pid

    def _known(self, stat: Stat, session: int | None, environment: list[bytes]) -> bool:
        if stat.identity.start_ticks < self.root.start_ticks:
            return False
        return (
            stat.identity in self._seen
            or stat.session == session
            or self._mark in environment
            or _tracking_id(environment) in self._tracking
            or _is_inside(stat.pid, self._dir, self._uid)
        )


def kill_everything(sweep: Sweep, *, clock: Clock, seconds: float = 10.0) -> int:
    """SIGKILL to all that is left, again and again, until nothing is or the seconds are over.

    Returns:
        how many processes were killed.
    """
    deadline = Deadline.after(clock, seconds)
    killed: set[ProcessIdentity] = set()
    # Twice: a fork may slip past one look through /proc.
    while left := sweep.left() or sweep.left():
        killed |= {identity for identity in left if identity.send(signal.SIGKILL)}
        if deadline.expired:
            warning(log, "runner.not_killed", pids=[identity.pid for identity in left])
            break
        clock.wait(threading.Event(), SWEEP_SECONDS)
    return len(killed)


def find_running(runner_dir: Path, *, uid: int) -> ProcessIdentity | None:
    """The `run.sh` that works in the runner directory, by the mark that it gave to all that it started; None when nothing does.

    It may be gone itself, with only those left that it started.
    """
    folder = os.fsencode(runner_dir.resolve())
    for stat in sorted(all_processes(), key=lambda s: s.identity.start_ticks):
        if stat.dead or not _is_inside(stat.pid, folder, uid) or not _serves(stat.pid):
            continue
        for entry in _environment(stat.pid):
            name, _, mark = entry.partition(b"=")
            if name == MARK.encode() and (identity := _marked(mark)) is not None:
                return identity
    return None


def kill_inside(runner_dir: Path, *, uid: int, clock: Clock) -> int:
    """Kills all that the user runs from inside the directory, and what it started; returns how many that were."""
    nobody = ProcessIdentity(-1, 0)
    return kill_everything(Sweep(nobody, runner_dir=runner_dir, uid=uid), clock=clock)


def _serves(pid: int) -> bool:
    """Whether it is part of a runner at work, and not of a `config.sh`."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    names = {word.rpartition(b"/")[2] for word in words[:3]}
    at_work = names & {b"run.sh", b"run-helper.sh", b"Runner.Worker"}
    return bool(at_work) or (b"Runner.Listener" in names and b"run" in words)


def _marked(mark: bytes) -> ProcessIdentity | None:
    pid, _, ticks = mark.partition(b".")
    return ProcessIdentity(int(pid), int(ticks)) if pid.isdigit() and ticks.isdigit() else None


def _is_inside(pid: int, directory: bytes, uid: int) -> bool:
    """Whether the process is the user's, and its program or working directory is in the directory."""
    folder = PROC / str(pid)
    try:
        if folder.stat().st_uid != uid:
            return False
    except OSError:
        return False
    places = (_link(folder / "cwd"), _link(folder / "exe"))
    return any(p == directory or p.startswith(directory + b"/") for p in places)


def _untouchable(table: dict[int, Stat]) -> set[int]:
    """The agent, its session, its ancestors, init and the kernel's threads."""
    own_session = os.getsid(0)
    pids = {1, 2} | {s.pid for s in table.values() if s.session == own_session or s.parent == 2}  # noqa: PLR2004 - kthreadd
    pid = os.getpid()
    while pid in table:
        pids.add(pid)
        pid = table[pid].parent
    return pids


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _link(path: Path) -> bytes:
    try:
        return os.fsencode(path.readlink())
    except OSError:
        return b""


def _tracking_id(environment: list[bytes]) -> bytes:
    """`github_<guid>`, which the worker gives to all processes of a job; empty when there is none."""
    prefix = b"RUNNER_TRACKING_ID=github_"
    return next((entry for entry in environment if entry.startswith(prefix)), b"")
