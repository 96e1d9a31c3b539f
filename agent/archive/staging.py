"""From a staging directory to the runner directory by one rename, and what already stands there."""

import json
import logging
import os
import shutil
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.archive.inflate import disk_trouble
from agent.errors import ArchiveError
from agent.events import warning

log = logging.getLogger(__name__)

MARKER = ".runs-fleet-runner.json"
PROGRAMS = ("run.sh", "config.sh", "bin/Runner.Listener", "bin/Runner.Worker")
FILES = ("run-helper.sh.template",)


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

    Raises:
        RunnerDirError: the parent directory cannot be written.
    """
    try:
        runner_dir.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=_prefix(runner_dir), dir=runner_dir.parent))
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
    """Makes a verified tree the runner; one that stood there before is removed.

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
        if owner is not None:
            os.chown(staged, *owner)
        if runner_dir.is_symlink() or runner_dir.exists():
            runner_dir.rename(old)
        staged.rename(runner_dir)
    except OSError as exc:
        raise disk_trouble(runner_dir, exc) from exc
    shutil.rmtree(old, ignore_errors=True)


def sweep_leftovers(runner_dir: Path) -> int:
    """Removes the stagings that a crash has left; returns how many. Never raises."""
    found = list(runner_dir.parent.glob(f"{_prefix(runner_dir)}*"))
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def installed(runner_dir: Path) -> Marker | None:
    """The runner that stands there already, by its marker; None for anything that is not whole."""
    try:
        marker = Marker(**json.loads((runner_dir / MARKER).read_bytes()))
        check_layout(runner_dir)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, ArchiveError) as exc:
        warning(log, "runner.on_disk_unusable", path=runner_dir, error=exc)
        return None
    return marker


def _prefix(runner_dir: Path) -> str:
    return f".{runner_dir.name}.staging-"


def _regular(path: Path, *, executable: bool) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and (not executable or bool(mode & stat.S_IXUSR))
