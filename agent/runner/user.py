"""Who runs `config.sh` and `run.sh`."""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from agent.errors import SettingsError

DEFAULT_USER = "runner"
"""The user when the agent is root (contract section 2)."""
WORTH_ROOT = frozenset(("root", "sudo", "wheel", "admin", "docker", "lxd", "incus", "libvirt", "disk", "kvm", "shadow"))  # fmt: skip
"""Whoever is in one of them can become root, or read what root can."""


@dataclass(frozen=True, slots=True)
class RunnerUser:
    """An account of this machine."""

    name: str
    uid: int
    gid: int
    home: Path
    groups: tuple[int, ...]
    """All groups, the first one among them."""
    switch: bool
    """True when the agent is root and has to become this user first."""
    shell: str = "/bin/bash"
    max_processes: int | None = None
    """Processes and threads that it may have; half of what the kernel can run when None."""

    def groups_worth_root(self) -> tuple[str, ...]:
        """Those of its groups that lead to root: the image put it there."""
        if self.uid == 0:
            return ()
        return tuple(name for name in map(_group_name, self.groups) if name in WORTH_ROOT)


def runner_user(name: str | None, *, euid: int | None = None) -> RunnerUser:
    """The account that runs the runner; `runner` by default when the agent is root, else the agent's own.

    Args:
        name: from `RUNS_FLEET_RUNNER_USER`, None when it is not set.
        euid: the agent's effective user id, this process's own when not given.

    Raises:
        SettingsError: there is no such user, or the agent may not become it.
    """
    euid = os.geteuid() if euid is None else euid
    account = _by_uid(euid) if name is None and euid != 0 else _by_name(name or DEFAULT_USER)
    if euid not in (0, account.pw_uid):
        raise SettingsError(
            f"RUNS_FLEET_RUNNER_USER={name} cannot be used: the agent has uid {euid} and only root may become another user",
            mend="start the agent as root, or leave RUNS_FLEET_RUNNER_USER unset",
        )
    return RunnerUser(
        name=account.pw_name,
        uid=account.pw_uid,
        gid=account.pw_gid,
        home=Path(account.pw_dir),
        groups=tuple(os.getgrouplist(account.pw_name, account.pw_gid)),
        switch=account.pw_uid != euid,
        shell=account.pw_shell or "/bin/sh",
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _by_name(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(
            f"there is no user {name!r} on this machine to run the runner",
            mend=f"make one when baking the image (`useradd --create-home {name}`), or set RUNS_FLEET_RUNNER_USER to one that exists",
        ) from None


def _by_uid(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise SettingsError(
            f"the agent's own uid {uid} has no entry in /etc/passwd",
            mend=f"make one (`useradd --create-home --uid {uid} {DEFAULT_USER}`); RUNS_FLEET_RUNNER_USER may then name it",
        ) from None
