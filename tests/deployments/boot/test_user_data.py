"""What terraform makes of the template: cloud-init takes it, EC2 takes it, and systemd reads it as it was meant."""

import configparser
import gzip
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.settings import Settings
from tests.deployments.boot.user_data import BOOT_SCRIPT, ROOT, Variables, render
from tests.deployments.scripts import assert_clean

EC2_LIMIT = 16_384
"""AWS: user data is at most 16 KB, before it is base64-encoded."""
SYSTEMD = ROOT / "deployments/systemd"
USUAL = {
    "AWS_REGION": "ap-southeast-2",
    "RUNS_FLEET_CONFIG_BUCKET": "runs-fleet-" + "b" * 52,
    "RUNS_FLEET_TERMINATION_QUEUE_URL": "https://sqs.ap-southeast-2.amazonaws.com/123456789012/runs-fleet-termination",
    "RUNS_FLEET_LOG_GROUP": "/runs-fleet/agent",
    "RUNS_FLEET_SECRETS_PATH_PREFIX": "/runs-fleet/runners",
    "RUNS_FLEET_MAX_RUNTIME_MINUTES": "360",
    "RUNS_FLEET_STANDBY_DEADLINE_MINUTES": "120",
    "RUNS_FLEET_RUNNER_VERSION": "2.336.0",
    "RUNS_FLEET_RUNNER_SHA256": "c" * 64,
}
ODD = r""" a "b" 'c' \d \\ \" $HOME ${HOME} %{ if } $(id) `id` %h #e ; é \n """

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None,
    reason="the user data is rendered by terraform, which is not on this machine",
)


@pytest.fixture
def usual(tmp_path: Path) -> str:
    return render(Variables(environment=USUAL, docker_group=True), tmp_path)


def files(user_data: str) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in yaml.safe_load(user_data)["write_files"]}


def units(user_data: str) -> dict[str, str]:
    """The units that the first command writes, by name."""
    (command,) = yaml.safe_load(user_data)["bootcmd"]
    return dict(re.findall(r"^cat >(\S+) <<'UNIT'\n(.*?)^UNIT$", command, re.MULTILINE | re.DOTALL))


def test_cloud_init_finds_nothing_wrong(usual: str, tmp_path: Path) -> None:
    if shutil.which("cloud-init") is None:
        pytest.skip("cloud-init's own schema is in Debian's package cloud-init")
    (tmp_path / "user-data").write_text(usual)
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(tmp_path / "user-data")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_a_cloud_config_with_nothing_but_commands_and_files(usual: str) -> None:
    assert usual.startswith("#cloud-config\n")
    told = yaml.safe_load(usual)
    assert set(told) == {"bootcmd", "write_files"}
    assert {type(command) for command in told["bootcmd"]} == {str}
    assert {path: file.get("permissions") for path, file in files(usual).items()} == {
        "/etc/runs-fleet/agent.env": "0600",
        "/usr/local/sbin/runs-fleet-boot": "0755",
    }
    assert files(usual)["/usr/local/sbin/runs-fleet-boot"]["content"] == BOOT_SCRIPT.read_text()


def test_ec2_takes_it_as_it_is_and_compressed_with_much_room(usual: str) -> None:
    assert len(usual.encode()) < EC2_LIMIT
    assert len(gzip.compress(usual.encode())) < EC2_LIMIT / 2


@pytest.mark.parametrize("baked", [False, True], ids=["stock", "baked"])
def test_the_commands_are_clean_shell(tmp_path: Path, baked: bool) -> None:  # noqa: FBT001
    user_data = render(Variables(baked=baked, environment=USUAL), tmp_path)
    (command,) = yaml.safe_load(user_data)["bootcmd"]
    assert_clean("#!/bin/sh\n" + command)


def test_the_boot_script_is_clean_shell() -> None:
    assert_clean(BOOT_SCRIPT.read_text())


def test_the_dead_man_is_the_one_that_is_shipped_but_for_its_time(usual: str) -> None:
    written = units(usual)
    for name in ("runs-fleet-dead-man.timer", "runs-fleet-dead-man.service"):
        assert says(written[name]) == says((SYSTEMD / name).read_text()), name
    time = written["runs-fleet-dead-man.timer.d/user-data.conf"]
    assert time == "[Timer]\nOnBootSec=\nOnBootSec=495min\n"


def says(unit: str) -> dict[str, dict[str, str]]:
    """A unit's directives, but those that say when a timer fires, who wants it and where to read on."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.read_string(unit)
    left_out = ("documentation", "onbootsec", "wantedby")
    sections = {name: dict(section) for name, section in parser.items()}
    kept = {name: {k: v for k, v in section.items() if k not in left_out} for name, section in sections.items()}  # fmt: skip
    return {name: section for name, section in kept.items() if section}


def test_systemd_finds_nothing_to_complain_about(usual: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    written = units(usual)
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    names = [str(tmp_path / name) for name in written if not name.endswith(".conf")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *names],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_baked_image_is_asked_for_nothing_that_only_a_stock_one_needs(tmp_path: Path) -> None:
    bare = replace(Variables(), bucket="", agent_version="", agent_sha256="", install_sha256="")
    user_data = render(replace(bare, baked=True), tmp_path)
    assert "runs-fleet-boot start --baked\n" in units(user_data)["runs-fleet-boot.service"]


def test_the_boot_is_over_before_an_orchestrator_gives_the_instance_up(usual: str) -> None:
    boot = says(units(usual)["runs-fleet-boot.service"])["Service"]
    assert int(boot["timeoutstartsec"]) <= 5 * 60
    assert Settings().job_wait_minutes * 60 > int(boot["timeoutstartsec"])


@pytest.mark.parametrize(
    "value", ["plain", "", " ", ODD, '"', "\\", "$", "`", "two\nlines\n", "#c", "'", "a=b"]
)
def test_systemd_and_a_shell_read_each_setting_as_it_was_given(tmp_path: Path, value: str) -> None:
    user_data = render(Variables(environment={"A_SETTING": value, "LAST": "x"}), tmp_path)
    text = files(user_data)["/etc/runs-fleet/agent.env"]["content"]
    assert environment_file(text) == {"A_SETTING": value, "LAST": "x"}
    (tmp_path / "agent.env").write_text(text)
    read = ["bash", "-c", 'set -ae; . "$1"; env -0', "bash", str(tmp_path / "agent.env")]
    done = subprocess.run(read, check=True, capture_output=True, text=True, timeout=10, env={})
    assert f"A_SETTING={value}" in done.stdout.split("\0")


def environment_file(text: str) -> dict[str, str]:
    """As systemd reads one whose values are all in double quotes: systemd.exec(5), EnvironmentFile=.

    A backslash takes the meaning from `"`, a backslash, a backtick and `$`, goes with the newline after it, and stays otherwise.
    """
    whole = re.fullmatch(r'(?:[A-Z_0-9]+="(?:[^"\\]|\\.)*"\n)*', text, re.DOTALL)
    assert whole is not None, text
    found = re.findall(r'([A-Z_0-9]+)="((?:[^"\\]|\\.)*)"\n', text, re.DOTALL)
    return {
        name: re.sub(r'\\(?:([\\"$`])|\n)', lambda m: m[1] or "", value) for name, value in found
    }
