"""What the runner keeps on disk: its registration, its `.env`, and in the end nothing."""

import base64
import binascii
import json
import logging
import os
import pwd
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.deadline import Deadline
from agent.errors import ConfigError, RunnerDirError
from agent.events import warning
from agent.runner.user import RunnerUser

log = logging.getLogger(__name__)

JIT_FILES = (".runner", ".credentials", ".credentials_rsaparams")
"""What a JIT config may bring; the listener itself would write any name that it finds there."""
CREDENTIALS = (*JIT_FILES, ".runner_migrated", ".credentials_migrated")
JIT_LIMIT_BYTES = 1024 * 1024
"""Unpacked (contract section 3)."""
SIGNS = ("run.sh", "config.sh", "bin", ".runner")
"""A directory without any of these is no runner's. They go last, so that a removal that was cut short can be repeated."""
LOST_AND_FOUND = "lost+found"
"""It belongs to the volume, where the runner directory is one of its own."""
SHORTEST_SECRET = 8
"""Characters; a shorter value, such as the key's exponent, is no secret and would blot out too much."""
_SECRET_VARIABLES = (b"ACTIONS_CACHE_TOKEN",)
DEEPEST = 200
"""Levels that a removal goes down; each holds a descriptor open, and processes have 1024."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def decode_jit(encoded: str) -> dict[str, bytes]:
    """The files of an encoded JIT config: base64 of `{name: base64 of the content}`.

    Raises:
        ConfigError: it is none, too large, lacks a file, or names a file that is not the runner's; the content is not shown.
    """
    if len(encoded) > JIT_LIMIT_BYTES * 4 // 3 + 4:
        raise _bad_jit("it is larger than 1 MiB")
    files = _object(_from_base64(encoded, "it"), "it")
    for name in files:
        if name not in JIT_FILES:
            with_path = "a file with a path in it" if "/" in name else "an unknown file"
            raise _bad_jit(f"it names {with_path}: {name[:80]!r}")
    if missing := [name for name in (".runner", ".credentials") if name not in files]:
        raise _bad_jit(f"it lacks {' and '.join(missing)}")
    decoded = {name: _from_base64(content, name) for name, content in files.items()}
    for name, content in decoded.items():
        _object(content, name)
    return decoded


def write_jit_files(runner_dir: Path, encoded: str, user: RunnerUser) -> None:
    """Registers the runner by its JIT config: each file 0600 and the user's; a link in its place is replaced, not followed.

    Raises:
        ConfigError: as `decode_jit`.
        RunnerDirError: a file cannot be written.
    """
    for name, content in decode_jit(encoded).items():
        _write(runner_dir / name, content, user)


def write_env(runner_dir: Path, values: Mapping[str, str], user: RunnerUser) -> None:
    """Adds variables to the `.env` that `config.sh` left; a name that is there already gets the new value.

    The listener reads it once, at its start: `KEY=VALUE` a line, without quotes or comments.

    Raises:
        ConfigError: a name or value that does not fit on such a line.
        RunnerDirError: it cannot be read or written.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name) or any(c in value for c in "\n\r\0"):
            raise ConfigError(
                f"the value of {name!r} has no place in the runner's .env: it must be one line",
                mend="mend it in the runner config",
            )
    path = runner_dir / ".env"
    new = {name.encode(): value.encode() for name, value in values.items()}
    kept = [line for line in _lines(path) if line.partition(b"=")[0] not in new]
    lines = [*kept, *(b"%b=%b" % pair for pair in new.items())]
    _write(path, b"".join(line + b"\n" for line in lines), user)


def secrets_on_disk(runner_dir: Path) -> tuple[str, ...]:
    """What of the runner's files must never be shown: the job's own tokens in `.env`, and the runner's private key. Never raises."""
    found: list[str] = []
    try:
        named = [line.partition(b"=") for line in _lines(runner_dir / ".env")]
        found += [
            value.decode(errors="replace") for name, _, value in named if name in _SECRET_VARIABLES
        ]
        key = _object((runner_dir / ".credentials_rsaparams").read_bytes(), "the private key")
        found += [value for value in key.values() if isinstance(value, str)]
    except (OSError, ConfigError, RunnerDirError):
        pass
    return tuple(value for value in found if len(value) > SHORTEST_SECRET)


def registered(runner_dir: Path) -> bool:
    """True when `.runner` and `.credentials` are there and are JSON; `config.sh` writes them with a byte order mark."""
    try:
        for name in (".runner", ".credentials"):
            _object((runner_dir / name).read_bytes(), name)
    except (OSError, ConfigError):
        return False
    return True


def credentials_left(runner_dir: Path) -> list[Path]:
    """Registration files that are still there; after its job an ephemeral listener has removed them."""
    return [path for name in CREDENTIALS if os.path.lexists(path := runner_dir / name)]


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
    removal.remove(runner_dir.name, runner_dir.parent.resolve())
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

    def remove(self, name: str, parent: Path) -> None:
        try:
            descriptor = os.open(parent, _DIRECTORY)
        except OSError as exc:
            self._note(name, exc.strerror or str(exc))
            return
        try:
            self._remove(name, descriptor, depth=0)
        finally:
            os.close(descriptor)

    def _remove(self, name: str, parent: int, *, depth: int) -> None:
        if self._deadline.expired or depth > DEEPEST:
            self._note(name, "no time left" if self._deadline.expired else "too deep")
            return
        before = self.left
        try:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
            if not stat.S_ISDIR(mode):
                os.unlink(name, dir_fd=parent)
                return
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(name, stat.S_IRWXU, dir_fd=parent)
            self._empty(name, parent, depth=depth)
            if self.left == before:
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

    def _empty(self, name: str, parent: int, *, depth: int) -> None:
        before = self.left
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            for inner in sorted(os.listdir(descriptor), key=SIGNS.__contains__):  # noqa: PTH208 - by descriptor
                if depth == 0 and (
                    inner == LOST_AND_FOUND or (inner in SIGNS and self.left > before)
                ):
                    continue
                self._remove(inner, descriptor, depth=depth + 1)
        finally:
            os.close(descriptor)

    def _note(self, name: str, why: str) -> None:
        self.left += 1
        if self.left <= 3:  # noqa: PLR2004 - the first few tell what is wrong
            warning(log, "runner.not_removed", name=name, error=why)


def _from_base64(text: Any, what: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (AttributeError, binascii.Error, ValueError):
        raise _bad_jit(f"{what} is not base64") from None


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _bad_jit(f"{what} holds no JSON object")
    return value


def _bad_jit(why: str) -> ConfigError:
    return ConfigError(
        f"the JIT config cannot be used: {why}",
        mend="write GitHub's encoded_jit_config unchanged into the runner config",
    )


def _lines(path: Path) -> list[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    with os.fdopen(descriptor, "rb") as reader:
        return reader.read().splitlines()


def _write(path: Path, content: bytes, user: RunnerUser) -> None:
    """Whole or not at all."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as writer:
            writer.write(content)
            os.fchmod(writer.fileno(), 0o600)
            if user.switch:
                os.fchown(writer.fileno(), user.uid, user.gid)
        beside.replace(path)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, exc: OSError) -> RunnerDirError:
    return RunnerDirError(
        f"{path} cannot be written: {exc.strerror}",
        mend="check the runner directory's owner and the free disk space",
    )
