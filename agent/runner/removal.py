"""Removes the runner's files when its job is over: by descriptors, within a deadline."""

import logging
import os
import pwd
import stat
from pathlib import Path

from agent.deadline import Deadline
from agent.errors import RunnerDirError
from agent.events import warning

log = logging.getLogger(__name__)

SIGNS = ("run.sh", "config.sh", "bin", ".runner")
"""A directory without any of these is no runner's. They go last, so that a removal that was cut short can be repeated."""
LOST_AND_FOUND = "lost+found"
"""It belongs to the volume, where the runner directory is one of its own."""
DEEPEST = 200
"""Levels that a removal goes down; each holds a descriptor open, and processes have 1024."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_runner(runner_dir: Path, *, deadline: Deadline) -> int:
    """Removes the directory: `_work`, `_diag` and the runner itself. Links are removed, never followed.

    Returns:
        how many entries it could not remove, or had no time for; 0 also when there is no such directory.

    Raises:
        RunnerDirError: the path is a link, `/`, holds a home, or holds no runner: nothing was removed.
    """
    if not os.path.lexists(runner_dir) or _is_empty(runner_dir):
        return 0
    _refuse_what_is_no_runner(runner_dir)
    removal = _Removal(deadline)
    removal.remove(runner_dir)
    return removal.left


def _is_empty(runner_dir: Path) -> bool:
    """A directory that was made for the runner, perhaps a volume of its own, and never got one."""
    try:
        return not runner_dir.is_symlink() and set(os.listdir(runner_dir)) <= {LOST_AND_FOUND}  # noqa: PTH208
    except OSError:
        return False


def _refuse_what_is_no_runner(runner_dir: Path) -> None:
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    if runner_dir.is_symlink():
        why = "it is a link"
    elif runner_dir == Path("/") or home.is_relative_to(runner_dir.resolve()):
        why = f"{home} is in it"
    elif not any(os.path.lexists(runner_dir / name) for name in SIGNS):
        why = "it holds no runner"
    else:
        return
    raise RunnerDirError(
        f"{runner_dir} is not removed: {why}",
        mend="set RUNS_FLEET_RUNNER_DIR to a directory of the runner's own",
    )


class _Removal:
    """Removes a tree by descriptors, so that no link on the way can lead it elsewhere."""

    def __init__(self, deadline: Deadline) -> None:
        self.left = 0
        self._deadline = deadline

    def remove(self, directory: Path) -> None:
        try:
            parent = os.open(directory.parent.resolve(), _DIRECTORY)
        except OSError as exc:
            self._note(directory.name, exc.strerror or str(exc))
            return
        try:
            self._remove(directory.name, parent, is_directory=True, depth=0)
        finally:
            os.close(parent)

    def _remove(self, name: str, parent: int, *, is_directory: bool, depth: int) -> None:
        if self._deadline.expired or depth > DEEPEST:
            self._note(name, "no time left" if self._deadline.expired else "too deep")
            return
        try:
            if not is_directory:
                os.unlink(name, dir_fd=parent)
            elif self._empty(name, parent, depth=depth):
                self._drop(name, parent, depth=depth)
        except OSError as exc:
            self._note(name, exc.strerror or str(exc))

    def _drop(self, name: str, parent: int, *, depth: int) -> None:
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError:
            if depth > 0:
                raise
            # The empty runner directory itself may stay: only its parent's owner can remove it, and it holds nothing.

    def _empty(self, name: str, parent: int, *, depth: int) -> bool:
        """Whether nothing is left in it."""
        before = self.left
        descriptor = _open(name, parent)
        try:
            with os.scandir(descriptor) as found:
                inside = {each.name: each.is_dir(follow_symlinks=False) for each in found}
            for inner in sorted(inside, key=SIGNS.__contains__):
                if depth == 0 and (
                    inner == LOST_AND_FOUND or (inner in SIGNS and self.left > before)
                ):
                    continue
                self._remove(inner, descriptor, is_directory=inside[inner], depth=depth + 1)
        finally:
            os.close(descriptor)
        return self.left == before

    def _note(self, name: str, why: str) -> None:
        self.left += 1
        if self.left <= 3:  # noqa: PLR2004 - the first few tell what is wrong
            warning(log, "runner.not_removed", name=name, error=why)


def _open(name: str, parent: int) -> int:
    """A directory that everything can be taken out of."""
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)
