"""What the runner keeps on disk: its registration and its `.env`."""

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.errors import ConfigError, RunnerDirError
from agent.held import Folder
from agent.runner.user import RunnerUser

JIT_FILES = (".runner", ".credentials", ".credentials_rsaparams")
"""What a JIT config may bring; the listener itself would write any name that it finds there."""
CREDENTIALS = (*JIT_FILES, ".runner_migrated", ".credentials_migrated")
JIT_LIMIT_BYTES = 1024 * 1024
"""Unpacked (contract section 3)."""
SHORTEST_SECRET = 8
"""Characters; a shorter value, such as the key's exponent, is no secret and would blot out too much."""
_SECRET_VARIABLES = (b"ACTIONS_CACHE_TOKEN",)
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
    kept = [line for line in _lines(runner_dir) if line.partition(b"=")[0] not in new]
    lines = [*kept, *(b"%b=%b" % pair for pair in new.items())]
    _write(path, b"".join(line + b"\n" for line in lines), user)


def secrets_on_disk(runner_dir: Path) -> tuple[str, ...]:
    """What of the runner's files must never be shown: the job's own tokens in `.env`, and the runner's private key. Never raises."""
    found: list[str] = []
    try:
        named = [line.partition(b"=") for line in _lines(runner_dir)]
        found += [
            value.decode(errors="replace") for name, _, value in named if name in _SECRET_VARIABLES
        ]
        key = _object(_content(runner_dir, ".credentials_rsaparams"), "the private key")
        found += [value for value in key.values() if isinstance(value, str)]
    except (OSError, ConfigError, RunnerDirError):
        pass
    return tuple(value for value in found if len(value) > SHORTEST_SECRET)


def registered(runner_dir: Path) -> bool:
    """True when `.runner` and `.credentials` are there and are JSON; `config.sh` writes them with a byte order mark."""
    try:
        for name in (".runner", ".credentials"):
            _object(_content(runner_dir, name), name)
    except (OSError, ConfigError):
        return False
    return True


def credentials_left(runner_dir: Path) -> list[Path]:
    """Registration files that are still there; after its job an ephemeral listener has removed them."""
    return [path for name in CREDENTIALS if os.path.lexists(path := runner_dir / name)]


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


def _lines(runner_dir: Path) -> list[bytes]:
    """Of `.env`."""
    try:
        return _content(runner_dir, ".env").splitlines()
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise _unwritable(runner_dir / ".env", exc) from exc


def _content(runner_dir: Path, name: str) -> bytes:
    """A job may have put something else in its place, which must neither be waited for nor fill the memory."""
    return Folder.of_the_runner(runner_dir).read(name, JIT_LIMIT_BYTES)


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
