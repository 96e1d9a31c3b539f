"""What a job would run to find secrets: looks into every file, environment and command line that its user can read.

Standard library only; run by the job's own interpreter. The first argument is a file of secrets, a line each, written backwards so that
the search does not find itself; the second a folder that is searched whole. Of the others, shared by all of the machine, only what is
near and has changed since. Prints the number of each secret that was found, and where.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024
NEAR = 2
"""Folders below each other."""


def main(arguments: Sequence[str]) -> int:
    wanted, whole, *shared = (Path(each) for each in arguments)
    secrets = [line[::-1].encode() for line in wanted.read_text().splitlines()]
    say("searching as", os.geteuid())
    since = wanted.stat().st_mtime
    for path in (*of_processes(), *of_folder(whole), *near(shared, since)):
        content = readable(path)
        for number, secret in enumerate(secrets):
            if secret in content:
                say("found", number, path)
    say("searched")
    return 0


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def of_processes() -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        yield from (process / name for name in ("environ", "cmdline", "comm"))
        try:
            yield from [each for each in (process / "fd").iterdir() if each.is_file()]
        except OSError:
            continue


def of_folder(folder: Path, depth: int = 100) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        if len(Path(place).parts) - len(folder.parts) >= depth:
            below.clear()
        yield from (Path(place) / name for name in names)


def near(folders: Sequence[Path], since: float) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in of_folder(folder, NEAR) if changed(path, since))


def changed(path: Path, since: float) -> bool:
    try:
        return path.stat().st_ctime >= since
    except OSError:
        return False


def readable(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(MOST_BYTES) or b""
    except OSError:
        return b""


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    raise SystemExit(main(sys.argv[1:]))
