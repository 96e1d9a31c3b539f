"""A boot of this machine's own system in namespaces: systemd as PID 1, the real cloud-init or a quick one, user data."""

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import yaml

from agent.clock import SystemClock
from agent.deadline import Deadline

ROOT = Path(__file__).parents[3]
SEEN = "/seen"
"""Where the machine finds the directory that it shares with the test."""
IMAGE = "/image.sh"
PACKAGES = {"systemd-nspawn": "systemd-container", "cloud-init": "cloud-init"}
QUICK = {
    "/etc/systemd/system/cloud-init-local.service": "",
    "/etc/systemd/system/cloud-init.service": "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh /bootcmd\n",
    "/etc/systemd/system/cloud-config.target": "[Unit]\nRequires=cloud-init.service\nAfter=cloud-init.service\n",
}
"""In place of cloud-init's units; an empty one masks."""
CGROUPS = Path("/sys/fs/cgroup")
REAL = """\
datasource_list: [NoCloud]
cloud_init_modules: [bootcmd, write-files]
cloud_config_modules: []
cloud_final_modules: []
network: {config: disabled}
"""
TARGET = "[Unit]\nRequires=cloud-config.target\nAfter=cloud-config.target\n"
BOOT = """\
set -e
for cgroup in $3; do
  mkdir "$cgroup"
  echo $$ >"$cgroup/cgroup.procs"
done
mount --make-rprivate /
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
rm -rf root/var/lib/cloud root/run/* root/opt/runs-fleet root/opt/actions-runner root/var/lib/runs-fleet
cp -a "$2/." root
[ ! -e root/image.sh ] || bash root/image.sh "$PWD/root" >"$1/../image.log" 2>&1
shift 3
until systemd-nspawn --quiet --directory=root "$@"; do
  [ $? = 133 ] || exit 1 # it rebooted
done
"""
COMMAND_LINE = ("systemd.unit=machine.target", "systemd.show_status=yes", "systemd.status_unit_format=name", "systemd.log_target=console", "systemd.log_color=no")  # fmt: skip


def impossible() -> str | None:
    """Why this machine cannot boot another; None where it can."""
    if os.geteuid() != 0:
        return "only root can boot a machine in namespaces"
    lacking = [package for tool, package in PACKAGES.items() if shutil.which(tool) is None]
    if lacking:
        return f"booting a machine in namespaces wants `apt-get install {' '.join(lacking)}`"
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(probe, check=False, capture_output=True, timeout=10).returncode:
        return "nothing can be mounted here, so no machine can be booted"
    return None


class Machine:
    """From `with` to the end of the block. Its disk is ours under an overlay in memory, its network is ours."""

    def __init__(
        self,
        user_data: str,
        directory: Path,
        *,
        cloud_init: bool = True,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Boots nothing yet.

        Args:
            user_data: as an instance gets it.
            directory: an empty one, for what is needed to boot and what comes of it.
            cloud_init: whether the real one acts on the user data; else what it would do is done before the boot and by `sh`.
            files: text by path, put on the machine's disk before it boots; below `bin` or `sbin` it can be executed.
                What is at `IMAGE` is then run, with the path of that disk; its words go to `image.log` in the directory.
        """
        self._files = {
            "/etc/systemd/system/machine.target": TARGET,
            **(_seed(user_data) if cloud_init else _as_cloud_init_would(user_data)),
            **(files or {}),
        }
        self._directory = directory
        self.seen = directory / "seen"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for name in ("seen", "files", "disk"):
            (self._directory / name).mkdir()
        for path, text in self._files.items():
            file = self._directory / "files" / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if "bin/" in path else 0o644)
        with (self._directory / "console").open("wb") as console:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        members = self.processes("")
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(members, timeout=5)
        for cgroup in self._cgroups():
            for path in [*sorted(cgroup.rglob("*/"), reverse=True), cgroup]:
                with suppress(OSError):
                    path.rmdir()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError("the machine was not booted")
        return self._process

    @property
    def console(self) -> str:
        """What PID 1 and whoever writes to /dev/console have said."""
        text = (self._directory / "console").read_text(errors="replace")
        return text.replace("\r", "")

    def wait_for_power_off(self, seconds: float = 90) -> str:
        """The console of a machine that has switched itself off.

        Raises:
            TimeoutError: it has not, with its console.
        """
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the machine is still up:\n{self.console}") from None
        return self.console

    def wait_until(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        """Looks ten times a second; a machine that is off is not waited for.

        Raises:
            TimeoutError: with the console.
        """
        clock = SystemClock()
        deadline = Deadline.after(clock, seconds)
        while not condition():
            if deadline.expired or self.process.poll() is not None:
                raise TimeoutError(f"it did not come to that:\n{self.console}")
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)

    def processes(self, words: str) -> list[psutil.Process]:
        """Those of this machine whose command line holds the words."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if words in " ".join(process.cmdline()):
                        found.append(process)
        return found

    def _cgroups(self) -> list[Path]:
        """One of its own in each hierarchy that systemd uses: nspawn makes the machine's below the one that it is in."""
        name = f"machine-{zlib.crc32(bytes(self._directory)):08x}"
        hybrid = [CGROUPS / "systemd" / name, CGROUPS / "unified" / name]
        return [path for path in hybrid if path.parent.exists()] or [CGROUPS / name]

    def _command(self) -> list[str]:
        ours = {str(path) for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix))}
        options = [
            "--register=no",
            "--keep-unit",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
            f"--bind={self.seen}:{SEEN}",
            *(f"--bind-ro={path}" for path in sorted(ours)),
            "--boot",
            "--",
            *COMMAND_LINE,
        ]
        given = [str(self._directory / "disk"), str(self._directory / "files")]
        script = ["bash", "-c", BOOT, "boot", *given, " ".join(map(str, self._cgroups()))]
        return ["unshare", "--mount", "--fork", "--kill-child", *script, *options]


def _seed(user_data: str) -> dict[str, str]:
    return {
        "/var/lib/cloud/seed/nocloud/user-data": user_data,
        "/var/lib/cloud/seed/nocloud/meta-data": "instance-id: i-of-cloud-init\n",
        "/etc/cloud/cloud.cfg.d/99-test.cfg": REAL,
    }


def _as_cloud_init_would(user_data: str) -> dict[str, str]:
    told = yaml.safe_load(user_data)
    written = {file["path"]: file["content"] for file in told["write_files"]}
    return {"/bootcmd": "\n".join(told["bootcmd"]), **QUICK, **written}
