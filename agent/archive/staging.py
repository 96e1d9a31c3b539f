"""From a staging directory to the runner directory by one rename, and what already stands there."""

import json
import logging
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.archive.inflate import disk_trouble
from agent.errors import ArchiveError
from agent.events import warning
from agent.held import Folder

log = logging.getLogger(__name__)

MARKER = ".runs-fleet-runner.json"
MARKER_BYTES = 64 * 1024
PROGRAMS = ("run.sh", "config.sh", "bin/Runner.Listener", "bin/Runner.Worker")
FILES = ("run-helper.sh.template",)
LOST_AND_FOUND = "lost+found"
"""It belongs to the volume, where the runner directory is one of its own."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the agent leaves in a runner directory, so that an image's runner can be used as it is."""

    version: str
    arch: str
    sha256: str
    """Of the archive, lower-case hex."""
    source: str


def make_staging(runner_dir: Path) -> Path:
    """An empty directory on the runner directory's own file system, so that a rename is enough later.

    It is a neighbour of the runner directory; but inside it, where that is a volume of its own, or is ours among what is not.

    Raises:
        RunnerDirError: neither place can be written.
    """
    try:
        runner_dir.parent.mkdir(parents=True, exist_ok=True)
        place = runner_dir if _must_stay(runner_dir) else runner_dir.parent
        made = Path(tempfile.mkdtemp(prefix=_prefix(runner_dir), dir=place))
        made.chmod(0o755)
    except OSError as exc:
        raise disk_trouble(runner_dir.parent, exc) from exc
    return made


def check_layout(tree: Path) -> None:
    """Looks whether the tree is a runner's.

    Raises:
        ArchiveError: names what is missing or not executable.
    """
    wrong = [name for name in PROGRAMS if not _regular(tree / name, executable=True)]
    wrong += [name for name in FILES if not _regular(tree / name, executable=False)]
    if wrong:
        raise ArchiveError(
            f"the archive is no runner: {', '.join(wrong)} missing or not executable",
            mend="check RUNS_FLEET_RUNNER_SHA256 and who may write to the cache bucket",
        )


def put_in_place(
    staged: Path, runner_dir: Path, marker: Marker, owner: tuple[int, int] | None = None
) -> None:
    """Makes a verified tree the runner, by one rename where it can be; one that stood there before is removed.

    Where the tree was staged inside the runner directory, its entries are renamed instead, the marker last: a runner that is not
    whole is never taken for one.

    Args:
        staged: made by `make_staging`.
        runner_dir: where the runner shall be.
        marker: written into the tree first.
        owner: uid and gid of the runner's root, which its user must be able to write; the agent's own when None.

    Raises:
        RunnerDirError: it cannot be renamed.
    """
    old = staged.with_name(staged.name + ".old")
    try:
        (staged / MARKER).write_text(json.dumps(asdict(marker)))
        stays = staged.parent == runner_dir
        if owner is not None:
            os.chown(runner_dir if stays else staged, *owner)
        if stays:
            _exchange_entries(staged, runner_dir, old)
        else:
            if runner_dir.is_symlink() or runner_dir.exists():
                runner_dir.rename(old)
            staged.rename(runner_dir)
    except OSError as exc:
        raise disk_trouble(runner_dir, exc) from exc
    shutil.rmtree(old, ignore_errors=True)


def sweep_leftovers(runner_dir: Path) -> int:
    """Removes the stagings that a crash has left; returns how many. Never raises."""
    found = [*_leftovers(runner_dir, runner_dir.parent), *_leftovers(runner_dir, runner_dir)]
    for path in found:
        with suppress(OSError, RecursionError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    return len(found)


def installed(runner_dir: Path) -> Marker | None:
    """The runner that stands there already, by its marker; None for anything that is not whole."""
    try:
        marker = _marker(json.loads(Folder.of_the_runner(runner_dir).read(MARKER, MARKER_BYTES)))
        check_layout(runner_dir)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError, ArchiveError) as exc:
        warning(log, "runner.on_disk_unusable", path=runner_dir, error=exc)
        return None
    return marker


def _marker(found: Any) -> Marker:
    if not all(isinstance(value, str) for value in dict(found).values()):
        raise TypeError("the marker holds something other than text")
    return Marker(**found)


def _must_stay(runner_dir: Path) -> bool:
    """Whether a directory can only be filled, not be replaced: a mount point, or one whose parent is not ours to write."""
    if runner_dir.is_symlink() or not runner_dir.is_dir():
        return False
    return runner_dir.is_mount() or not os.access(runner_dir.parent, os.W_OK | os.X_OK)


def _exchange_entries(staged: Path, runner_dir: Path, old: Path) -> None:
    old.mkdir()
    for entry in sorted(runner_dir.iterdir(), key=lambda e: e.name != MARKER):
        if not entry.name.startswith(_prefix(runner_dir)) and entry.name != LOST_AND_FOUND:
            entry.rename(old / entry.name)
    for entry in sorted(staged.iterdir(), key=lambda e: e.name == MARKER):
        entry.rename(runner_dir / entry.name)
    staged.rmdir()


def _leftovers(runner_dir: Path, place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.name.startswith(_prefix(runner_dir))]
    except OSError:
        return []


def _prefix(runner_dir: Path) -> str:
    return f".{runner_dir.name}.staging-"


def _regular(path: Path, *, executable: bool) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and (not executable or bool(mode & stat.S_IXUSR))
