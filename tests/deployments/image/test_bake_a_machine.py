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
[ "$3" != docker ] || touch /etc/systemd/system/docker.service
[ "$3" != docker ] || printf '[Install]\\nWantedBy=sockets.target\\n' >/etc/systemd/system/docker.socket
"""
LOOK = f"""\
cp -r /opt/actions-runner/.runs-fleet-runner.json /etc/machine-id {SEEN}
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


def test_an_amazon_linux_is_baked_and_cleared_up(
    tmp_path: Path, archive: BuiltArchive, github: GitHub
) -> None:
    if (why := impossible()) is not None:
        pytest.skip(why)
    provision = [
        *("/bin/bash", str(ROOT / "deployments/image/provision.sh"), "--docker"),
        *("--artefact", "/artefact", "--artefact-sha256", "a" * 64, "--install", "/install.sh"),
        *("--runner-version", archive.version, "--runner-sha256", archive.sha256),
        *("--github-url", github.url),
    ]
    files = {
        "/etc/os-release": 'ID="amzn"\nVERSION_ID="2023"\n',
        "/etc/ssh/ssh_host_key": "of the builder",
        "/var/lib/cloud/instance": "of the builder",
        "/etc/systemd/system/bake.service": UNIT.format(provision=shlex.join(provision)),
        "/usr/local/sbin/dnf": DNF,
        "/look": LOOK,
        "/artefact": "the agent",
        "/install.sh": INSTALL,
    }
    (tmp_path / "machine").mkdir()
    with Machine(START, tmp_path / "machine", cloud_init=False, files=files) as machine:
        machine.wait_for_power_off()
    packages = (machine.seen / "dnf").read_text().splitlines()
    assert packages == [
        "install -y docker",
        "install -y libicu openssl-libs krb5-libs zlib",
        "clean all",
    ]
    assert archive.sha256 in (machine.seen / ".runs-fleet-runner.json").read_text()
    assert (machine.seen / "machine-id").read_text() == ""
    left = (machine.seen / "left").read_text()
    assert "docker.socket" in left
    assert "ssh_host_" not in left
    assert "instance" not in left
