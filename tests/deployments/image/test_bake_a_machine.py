"""The whole of the provisioning script, on a machine that is thrown away."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.localcloud.github import GitHub
from agent.localcloud.runner.build import BuiltArchive, build_archive
from agent.localcloud.runner.scenario import Scenario
from tests.deployments.boot.machine import SEEN, Machine, impossible
from tests.deployments.standins import INSTALL, ROOT

START = "#cloud-config\nbootcmd: [systemctl start --no-block bake]\nwrite_files: []\n"
DNF = f"""\
#!/bin/sh
echo "$@" >>{SEEN}/dnf
case $3 in docker*) ;; *) exit ;; esac
touch /etc/systemd/system/docker.service
printf '[Install]\\nWantedBy=sockets.target\\n' >/etc/systemd/system/docker.socket
"""
LOOK = f"""\
cp -r /opt/actions-runner/.runs-fleet-runner.json /etc/machine-id /doctor {SEEN}
ls /etc/ssh /var/lib/cloud /var/log/journal /etc/systemd/system/sockets.target.wants >{SEEN}/left 2>&1
"""
UNIT = """\
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart={provision}
ExecStartPost=/bin/sh /look
StandardError=tty
"""

pytestmark = pytest.mark.root


@pytest.fixture
def archive(tmp_path: Path) -> BuiltArchive:
    return build_archive(tmp_path / "release", Scenario())


@pytest.fixture
def github(archive: BuiltArchive) -> Iterator[GitHub]:
    hub = GitHub(archive)
    hub.start()
    yield hub
    hub.stop()


class Oven:
    """A machine that provisions itself, is looked at, and switches itself off."""

    def __init__(self, directory: Path, archive: BuiltArchive, github: GitHub) -> None:
        self._directory = directory
        self._provision = [
            *("/bin/bash", str(ROOT / "deployments/image/provision.sh"), "--docker"),
            *("--artefact", "/artefact", "--artefact-sha256", "a" * 64, "--install", "/install.sh"),
            *("--runner-version", archive.version, "--runner-sha256", archive.sha256),
            *("--github-url", github.url),
        ]

    def bake(self, **more: str) -> Path:
        """What was seen of it afterwards."""
        files = {
            "/etc/os-release": 'ID="amzn"\nVERSION_ID="2023"\n',
            "/etc/ssh/ssh_host_key": "of the builder",
            "/var/lib/cloud/instance": "of the builder",
            "/etc/systemd/system/bake.service": UNIT.format(provision=shlex.join(self._provision)),
            "/usr/local/sbin/dnf": DNF,
            "/look": LOOK,
            "/artefact": "the agent",
            "/install.sh": INSTALL,
            **{f"/{name}": text for name, text in more.items()},
        }
        with Machine(START, self._directory, cloud_init=False, files=files) as machine:
            machine.wait_for_power_off()
        return machine.seen


@pytest.fixture
def oven(tmp_path: Path, archive: BuiltArchive, github: GitHub) -> Oven:
    if (why := impossible()) is not None:
        pytest.skip(why)
    (tmp_path / "machine").mkdir()
    return Oven(tmp_path / "machine", archive, github)


def test_an_amazon_linux_is_baked_seen_by_doctor_and_cleared_up(
    oven: Oven, archive: BuiltArchive
) -> None:
    seen = oven.bake()
    packages = (seen / "dnf").read_text().splitlines()
    assert packages == [
        "install -y docker",
        "install -y libicu openssl-libs krb5-libs zlib nftables",
        "clean all",
    ]
    assert archive.sha256 in (seen / ".runs-fleet-runner.json").read_text()
    assert (seen / "doctor").exists()
    assert (seen / "machine-id").read_text() == ""
    left = (seen / "left").read_text()
    assert "docker.socket" in left
    assert "ssh_host_" not in left
    assert "instance" not in left


def test_an_ubuntu_gets_what_closes_the_metadata_to_the_job_too(oven: Oven) -> None:
    ubuntu = 'ID="ubuntu"\nVERSION_ID="24.04"\n'
    seen = oven.bake(**{"etc/os-release": ubuntu, "usr/local/sbin/apt-get": DNF})
    packages = (seen / "dnf").read_text().splitlines()
    assert packages == [
        "update",
        "install -y docker.io",
        "update",
        "install -y nftables",
        "clean",
    ]


def test_an_image_in_which_doctor_finds_something_wrong_is_not_made(oven: Oven) -> None:
    seen = oven.bake(sick="yes")
    assert (seen / "dnf").exists()
    assert not (seen / "left").exists()
