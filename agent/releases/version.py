"""Versions and architectures of the runner, and the names made of them."""

import re
from dataclasses import dataclass
from typing import Self

from agent.errors import ReleaseError

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, order=True)
class RunnerVersion:
    """Such as 2.336.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Takes `2.336.0` or the tag `v2.336.0`.

        Raises:
            ReleaseError: it is neither.
        """
        match = re.fullmatch(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})", text, re.ASCII)
        if match is None:
            raise ReleaseError(
                f"{text!r} is not a runner version",
                mend="set RUNS_FLEET_RUNNER_VERSION to `latest` or one such as 2.336.0",
            )
        return cls(*(int(number) for number in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def architecture(machine: str) -> str:
    """GitHub's word for what `uname -m` says: `x64` or `arm64`.

    Raises:
        ReleaseError: there is no Linux runner for this machine.
    """
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise ReleaseError(
            f"there is no runner for the architecture {machine!r}",
            mend="launch an x86_64 or aarch64 instance",
        ) from None


def asset_name(version: str, arch: str) -> str:
    """As GitHub names it: actions-runner-linux-x64-2.336.0.tar.gz."""
    return f"actions-runner-linux-{arch}-{version}.tar.gz"
