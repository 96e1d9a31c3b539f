"""The wheels of an artefact: exactly those of requirements/run.txt, by its digests, and our own."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.pylock import PackageWheel, Pylock

from deployments.artefact.targets import Target

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements/run.txt"
LOOK_UP_SECONDS = 300
DOWNLOAD_SECONDS = 1800
BUILD_SECONDS = 300
SOURCE_DATE_EPOCH = "1580601600"
"""2020-02-02, as hatchling has it: the date of every file, on every day."""


class BuildError(Exception):
    """The artefact cannot be built; one line says what and where."""


def read_lock(folder: Path) -> Pylock:
    """Where each file of the lock is to be had, as a pylock.toml (PEP 751); nothing is resolved anew.

    Raises:
        BuildError: the index does not answer, or does not have what the lock names.
    """
    found = folder / "pylock.toml"
    uv = Path(sys.executable).with_name("uv")
    options = ("--no-deps", "--universal", "--python-version=3.11", "--no-header", "--quiet")
    _run(
        [str(uv), "pip", "compile", str(LOCK), *options, f"--output-file={found}"],
        timeout=LOOK_UP_SECONDS,
    )
    return Pylock.from_dict(tomllib.loads(found.read_text()))


def selected(lock: Pylock, target: Target) -> list[PackageWheel]:
    """The lock's best wheel of each package for a target.

    Raises:
        BuildError: a package has no wheel for it; nothing is ever compiled.
    """
    chosen = []
    for package, file in lock.select(environment=target.markers, tags=target.tags):
        if not isinstance(file, PackageWheel):
            raise BuildError(
                f"{package.name} {package.version} has no wheel for CPython {target.minor} on {target.machine}"
            )
        chosen.append(file)
    return chosen


def download(lock: Pylock, targets: Iterable[Target], store: Path) -> list[Path]:
    """Every wheel that one of the targets needs, by way of `store`, which keeps them for the next build.

    Raises:
        BuildError: a wheel cannot be had, or has another digest than the lock.
    """
    store.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for target in targets:
        wheels = selected(lock, target)
        missing = [wheel for wheel in wheels if not (store / wheel.filename).is_file()]
        if missing:
            _fetch(missing, target, store)
        paths |= {wheel.filename: store / wheel.filename for wheel in wheels}
    return [paths[name] for name in sorted(paths)]


def locked_digests(lock: Path = LOCK) -> frozenset[str]:
    """Every SHA-256 that the lock allows."""
    words = lock.read_text().split()
    return frozenset(w.removeprefix("--hash=sha256:") for w in words if w.startswith("--hash="))


def own_wheel(folder: Path) -> Path:
    """Builds our own wheel, the same bytes each time.

    Raises:
        BuildError: hatchling refused.
    """
    before = set(folder.glob("*.whl"))
    _run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        timeout=BUILD_SECONDS,
    )
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def _fetch(wheels: Iterable[PackageWheel], target: Target, store: Path) -> None:
    wanted = store / "wanted.txt"
    wanted.write_text("\n".join(_as_requirement(wheel) for wheel in wheels) + "\n")
    _run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation=cp"),
            *(f"--python-version={target.python}", *_abis(target)),
            *(f"--platform={platform}" for platform in target.platforms),
            *("--dest", str(store), "--requirement", str(wanted)),
        ],
        timeout=DOWNLOAD_SECONDS,
    )
    wanted.unlink()


def _as_requirement(wheel: PackageWheel) -> str:
    return f"{wheel.url} --hash=sha256:{wheel.hashes['sha256']}"


def _abis(target: Target) -> Iterator[str]:
    for abi in (f"cp{target.minor.replace('.', '')}", "abi3", "none"):
        yield f"--abi={abi}"


def _run(command: list[str], *, timeout: float) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            timeout=timeout,
            check=False,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BuildError(f"{command[0]}: {exc}") from exc
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise BuildError(f"{Path(command[0]).name} {command[1]} … failed:\n{said}")
