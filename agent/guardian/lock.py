"""One agent for a state directory. Standard library only."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class Held:
    """The lock; whoever inherits `descriptor` holds it too, also after the one who took it has died."""

    def __init__(self, descriptor: int | None) -> None:
        """None where the disk takes no lock: that stops nobody."""
        self.descriptor = descriptor

    def note(self, *pids: int) -> None:
        """Writes down who is at work, the one to be asked first in front."""
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, 0)
                os.pwrite(self.descriptor, " ".join(map(str, pids)).encode(), 0)


@contextlib.contextmanager
def lock(state_dir: Path) -> Iterator[Held | None]:
    """Holds the state directory for one agent; yields None when another holds it."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(_path(state_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield Held(None)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    except OSError:
        yield Held(None)
    else:
        held = Held(descriptor)
        held.note(os.getpid())
        yield held
    finally:
        os.close(descriptor)


def holders(state_dir: Path) -> tuple[int, ...]:
    """Who noted that they are at work, the one to be asked first in front; any of them may have died."""
    try:
        words = _path(state_dir).read_text().split()
    except (OSError, ValueError):
        return ()
    return tuple(int(word) for word in words if word.isdecimal())


def _path(state_dir: Path) -> Path:
    return state_dir / "agent.lock"
