"""GitHub's runner: whether one is on disk already, and whether the machine has the libraries that it needs."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from agent.archive.staging import installed
from agent.doctor.finding import Finding, failed, ok, skipped, warning
from agent.settings import Settings

LOADED = {
    "libicuuc": "ICU",
    "libssl": "OpenSSL",
    "libgssapi_krb5": "Kerberos",
    "libz": "zlib",
    "libstdc++": "the C++ runtime",
}
"""What .NET loads by name while it runs, so that `ldd` does not show it: without ICU it aborts at its start
(https://github.com/dotnet/core/blob/main/release-notes/8.0/linux-packages.md)."""
MEND_DNF = "`dnf install -y libicu openssl-libs krb5-libs zlib libstdc++`"
MEND_APT = (
    "`apt-get install -y libicu-dev libssl-dev libkrb5-3 zlib1g libstdc++6`,"
    " or the runner's own bin/installdependencies.sh"
)
LDD_SECONDS = 10
Run = Callable[[Sequence[str]], str]
"""What a program printed, stderr included; an OSError where it cannot be started."""


def check_runner(settings: Settings, *, must_be_there: bool) -> Finding:
    """Whether a runner is in its place.

    Args:
        settings: where, and which one is wanted.
        must_be_there: in an image it is; elsewhere it is fetched when a run begins.
    """
    there = installed(settings.runner_dir)
    if there is None:
        whole = "a whole one with the agent's marker"
        seen = f"there is not {whole} in {settings.runner_dir}"
        if must_be_there:
            mend = "bake one: every boot would have to fetch it"
            return failed("runner", seen, mend=mend)
        return skipped("runner", f"{seen}: it is fetched when a run begins")
    seen = f"{there.version} ({there.arch}) in {settings.runner_dir}, SHA-256 {there.sha256}"
    wanted = settings.runner_version
    if wanted not in ("latest", there.version):
        mend = f"bake {wanted}, or set RUNS_FLEET_RUNNER_VERSION={there.version}"
        return warning("runner", f"{seen}; {wanted} is wanted, and will be fetched", mend=mend)
    if settings.runner_sha256 not in (None, there.sha256):
        mend = "mend RUNS_FLEET_RUNNER_SHA256, or bake that archive"
        return warning("runner", f"{seen}; the pin is another", mend=mend)
    return ok("runner", seen)


def check_libraries(runner_dir: Path, run: Run) -> Finding:
    """As the runner's `config.sh` looks: `ldd` on what is on disk, and the loader's cache for what is loaded by name."""
    name = "runner libraries"
    try:
        cache = run(["ldconfig", "-p"])
        missing = [f"{each} ({LOADED[each]})" for each in LOADED if not _cached(each, cache)]
        unresolved = _not_found(run(["ldd", *map(str, _objects(runner_dir))]))
    except (OSError, subprocess.TimeoutExpired) as exc:
        mend = "install it: glibc's common files on dnf systems, `libc-bin` on apt systems"
        return failed(name, f"they cannot be looked for: {exc}", mend=mend)
    missing += sorted(each for each in unresolved if not each.startswith("liblttng-ust"))
    if missing:
        return failed(name, f"not found: {', '.join(missing)}", mend=_mend())
    on_disk = "the runner on disk finds all that it links to; " if _objects(runner_dir) else ""
    return ok(name, f"{on_disk}ICU, OpenSSL, Kerberos and zlib are there")


def run_program(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Runs a system's own tool, in sbin too, in English.

    Raises:
        OSError: it is not there.
        subprocess.TimeoutExpired: it hangs.
    """
    path = f"{environment.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    done = subprocess.run(
        command,
        env={**environment, "PATH": path, "LC_ALL": "C"},
        check=False,
        timeout=LDD_SECONDS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout.decode(errors="replace")


def _objects(runner_dir: Path) -> list[Path]:
    return sorted((runner_dir / "bin").glob("*.so"))


def _cached(library: str, cache: str) -> bool:
    return re.search(rf"^\s*{re.escape(library)}\.so", cache, re.MULTILINE) is not None


def _not_found(said: str) -> set[str]:
    return set(re.findall(r"^\s*(\S+) => not found", said, re.MULTILINE))


def _mend(places: Iterable[str] = ("/usr/bin/dnf",)) -> str:
    return f"install them: {MEND_DNF if any(os.path.exists(p) for p in places) else MEND_APT}"  # noqa: PTH110
