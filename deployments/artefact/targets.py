"""What an artefact must start on: two architectures, four minor versions of CPython, glibc 2.28 or newer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.markers import Environment
from packaging.tags import Tag, compatible_tags, cpython_tags

MACHINES = {"x64": "x86_64", "arm64": "aarch64"}
"""GitHub's words for an architecture, and the kernel's."""
PYTHONS = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")
"""The first of each: what a later patch version has no more need of does no harm, and Debian 12 is at 3.11.2."""
GLIBC_MINORS = range(28, 4, -1)
"""Amazon Linux 2023 has 2.34, Ubuntu 22.04 2.35, Debian 12 2.36; 2.28 is what every wheel in the lock can do with."""
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True, slots=True)
class Target:
    """One interpreter on one architecture."""

    machine: str
    python: str

    @property
    def minor(self) -> str:
        return self.python.rpartition(".")[0]

    @property
    def platforms(self) -> list[str]:
        """The platform tags that its wheels may have, the newest glibc first."""
        found = []
        for minor in GLIBC_MINORS:
            found.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _OLD_NAMES:
                found.append(f"{_OLD_NAMES[minor]}_{self.machine}")
        return found

    @property
    def tags(self) -> list[Tag]:
        """Every tag that fits, the best first."""
        major, minor = (int(part) for part in self.minor.split("."))
        interpreter = f"cp{major}{minor}"
        return [
            *cpython_tags((major, minor), platforms=self.platforms),
            *compatible_tags((major, minor), interpreter, self.platforms),
        ]

    @property
    def markers(self) -> Environment:
        """The environment markers (PEP 508) of such a machine."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.minor,
            "sys_platform": "linux",
        }

    def as_complete_platform(self) -> Mapping[str, Any]:
        """As PEX's `--complete-platform` takes it."""
        return {
            "marker_environment": self.markers,
            "compatible_tags": [str(tag) for tag in self.tags],
        }


def targets(arch: str) -> list[Target]:
    """All of an architecture (`x64`, `arm64`)."""
    return [Target(MACHINES[arch], python) for python in PYTHONS]
