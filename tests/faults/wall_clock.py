"""A wall clock for one play alone, which can be set while it runs: libfaketime, where this machine has it."""

from pathlib import Path

_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
LIBRARY = next(
    (path for folder in _FOLDERS for path in Path(folder).glob("**/faketime/libfaketimeMT.so.1")),
    None,
)
"""Debian's package `libfaketime`; None where it is not installed, and then no clock jumps."""


def environment(workdir: Path) -> dict[str, str]:
    """What a process needs to live by this clock; its monotonic clock stays the machine's."""
    if LIBRARY is None:
        return {}
    jump(workdir, "+0")
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(_file(workdir)),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


def jump(workdir: Path, by: str) -> None:
    """Sets the clock so far from the machine's, within a second: `+1h`, `-30s`, `+0`."""
    partial = _file(workdir).with_suffix(".part")
    partial.write_text(f"{by}\n")
    partial.replace(_file(workdir))


def _file(workdir: Path) -> Path:
    return workdir / "wall-clock"
