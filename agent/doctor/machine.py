"""The machine itself: Python, disk, memory, the runner's user, a firewall. No network."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from agent import __version__
from agent.archive.staging import installed
from agent.doctor.finding import Finding, failed, ok, skipped, warning
from agent.errors import SettingsError, one_line
from agent.instance.firewall import Which, program
from agent.runner.user import runner_user
from agent.settings import Settings
from agent.watchers.disk import MB

COMPILED = ("ahocorasick_rs", "isal", "orjson", "psutil", "pydantic_core", "sqlalchemy", "greenlet")
"""What does not start on another architecture, glibc or Python."""
WHOLE = ("flows.run_job", *COMPILED)
"""All of Prefect too, which takes seconds."""
IMPORT_SECONDS = 20
WHOLE_SECONDS = 120
OLDEST = (3, 11)
RUNNER_MB = 1000
"""A runner's archive unpacks to some 750 MB."""
STATE_MB = 100
"""Journal and Prefect's database, beside the log files that `RUNS_FLEET_SPOOL_MAX_MB` bounds."""
AGENT_MEMORY_MB = 200
"""What the agent takes for itself while a job runs."""


_LIBRARY = (
    "install the library that is named: `libstdc++` on dnf systems, `libstdc++6` on apt systems"
)
_ANEW = "install the artefact anew with install.sh, for this machine's architecture"


def check_python(version: Sequence[int] | None = None) -> Finding:
    version = version or sys.version_info[:3]
    seen = f"Python {'.'.join(str(part) for part in version[:3])}, runs-fleet-agent {__version__}, {platform.machine()}"
    if tuple(version[:2]) < OLDEST:
        return failed("python", seen, mend="install Python 3.11 or newer, and the agent with it")
    return ok("python", seen)


def check_imports(
    modules: Sequence[str] = COMPILED, *, limit_seconds: float = IMPORT_SECONDS
) -> Finding:
    """In a process of its own: Prefect does much when it is imported, and an extension module may crash."""
    program = "\n".join(f"import {module}" for module in modules)
    with tempfile.TemporaryDirectory() as home:
        try:
            done = subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PREFECT_HOME": home},
                check=False,
                timeout=limit_seconds,
                capture_output=True,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return failed("agent", f"its modules take more than {limit_seconds:g} s", mend=_ANEW)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        mend = _LIBRARY if "cannot open shared object file" in last else _ANEW
        return failed("agent", f"it cannot be imported: {one_line(last, 300)}", mend=mend)
    return ok("agent", f"{', '.join(modules)} can be imported")


def check_disk(settings: Settings, free_bytes: Callable[[Path], int]) -> list[Finding]:
    """Whether a run can begin: runner, state, and the least that must stay free during a job.

    Args:
        settings: which directories, and how much.
        free_bytes: of the file system of an existing path.
    """
    there = installed(settings.runner_dir) is not None
    runner_mb = settings.disk_min_free_mb + (0 if there else RUNNER_MB)
    return [
        _free("disk: runner", settings.runner_dir, runner_mb, free_bytes),
        _free("disk: state", settings.state_dir, settings.spool_max_mb + STATE_MB, free_bytes),
    ]


def check_memory(settings: Settings, available_bytes: int) -> Finding:
    available = available_bytes // MB
    seen = f"{available} MB available"
    mend = "take an instance type with more memory"
    if available < AGENT_MEMORY_MB:
        return failed("memory", f"{seen}; the agent alone takes {AGENT_MEMORY_MB} MB", mend=mend)
    wanted = AGENT_MEMORY_MB + settings.memory_warn_mb
    if available < wanted:
        return warning("memory", f"{seen}; a job would start with a warning", mend=mend)
    return ok("memory", seen)


def check_runner_user(settings: Settings) -> Finding:
    try:
        user = runner_user(settings.runner_user)
    except SettingsError as exc:
        return failed("runner user", exc.what, mend=exc.mend)
    seen = f"{user.name}, uid {user.uid}, home {user.home}"
    if not user.home.is_dir():
        mend = f"make it: `mkhomedir_helper {user.name}`, or anew with `useradd --create-home`"
        return warning("runner user", f"{seen}, which does not exist", mend=mend)
    return ok("runner user", seen)


def check_firewall(
    settings: Settings, *, must_be_there: bool, which: Which | None = None
) -> Finding:
    """Whether there is a program that closes the instance metadata to the job.

    Args:
        settings: whether the job may have the role, or may not run without.
        must_be_there: in an image, since one that is baked is for every setting.
        which: finds a program by its name; in the system's folders where not given.
    """
    may_use = settings.job_may_use_instance_role
    if may_use == "true" and not must_be_there:
        return skipped("firewall", "the job may use the instance's role: nothing is closed to it")
    found = program(which)
    if found is not None:
        return ok("firewall", f"{found} closes the instance metadata to the job")
    seen = "there is neither nft nor iptables: the instance metadata cannot be closed to the job"
    mend = "install it: `dnf install -y nftables`, or `apt-get install -y nftables`"
    if must_be_there or may_use == "never":
        return failed("firewall", seen, mend=mend)
    return warning("firewall", seen, mend=mend)


def _free(name: str, path: Path, wanted_mb: float, free_bytes: Callable[[Path], int]) -> Finding:
    place = next(each for each in (path, *path.parents) if each.is_dir())
    try:
        free = free_bytes(place) // MB
    except OSError as exc:
        return failed(name, f"{place} cannot be read: {exc}", mend=f"mount a disk at {place}")
    seen = f"{free} MB free for {path}"
    if free < wanted_mb:
        mend = "give the launch template a larger volume, or set another directory"
        return failed(name, f"{seen}, {wanted_mb:g} MB are needed to begin", mend=mend)
    return ok(name, seen)
