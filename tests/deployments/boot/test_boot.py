"""An instance boots: the real cloud-init, systemd and curl against the embedded cloud, and once the real agent."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployments.boot.conftest import PYTHON, Published, World, drop_in
from tests.deployments.boot.machine import SEEN
from tests.deployments.standins import INSTALL, ROOT, agent_that, image_with

pytestmark = pytest.mark.root


def test_a_stock_image_gets_the_agent_from_the_checked_artefact(world: World) -> None:
    install = (
        agent_that("true") + f'cp "$2" {SEEN}/artefact; printf \'%s\\n\' "$@" >{SEEN}/arguments\n'
    )
    published = Published(artefact=b"a zip file" * 1000, install=install)
    machine = world.boot(published, cloud_init=True, docker_group=True)
    machine.wait_for_power_off()
    assert (machine.seen / "artefact").read_bytes() == published.artefact
    _, _, *rest = (machine.seen / "arguments").read_text().splitlines()
    assert rest == ["--sha256", published.variables()["agent_sha256"], "--docker-group"]
    assert world.signed.refused == []
    assert not world.ended()


def test_the_agent_gets_every_setting_as_it_was_given(world: World) -> None:
    odd = {
        "RUNS_FLEET_RUNNER_USER": "",
        "PREFECT_ODD": r""" a "b" 'c' \d \\ $HOME ${HOME} $(id) `id` %h %% #e ; é """,
        "AWS_ODD": "x=y",
    }
    world.settings.update(odd)
    machine = world.boot(
        Published(install=agent_that(f"env -0 >{SEEN}/environment")), cloud_init=True
    )
    machine.wait_for_power_off()
    seen = (machine.seen / "environment").read_text().split("\0")
    got = dict(line.split("=", 1) for line in seen if line)
    assert {name: got.get(name) for name in odd} == odd
    assert {name: got[name] for name in world.environment()} == world.environment()


def test_a_stock_image_without_icu_gets_it_for_the_runner(world: World) -> None:
    bare = {
        "/usr/local/sbin/ldconfig": "#!/bin/sh\n",
        "/usr/local/sbin/dnf": f'#!/bin/sh\necho "$@" >{SEEN}/dnf\n',
    }
    machine = world.boot(Published(install=agent_that("true")), files=bare)
    machine.wait_for_power_off()
    assert (machine.seen / "dnf").read_text() == "install -y libicu\n"


def without_a_firewall(dnf: str) -> dict[str, str]:
    """A machine on whose `PATH` is neither `nft` nor `iptables`, and a package manager that does one thing."""
    return {
        "/usr/local/sbin/dnf": f'#!/bin/sh\necho "$@" >>{SEEN}/dnf\n{dnf}\n',
        **drop_in("Environment=PATH=/usr/local/sbin:/usr/bin:/bin"),
    }


def test_a_stock_image_without_a_firewall_gets_it_to_close_the_metadata_to_the_job(
    world: World,
) -> None:
    machine = world.boot(Published(install=agent_that("true")), files=without_a_firewall("true"))
    machine.wait_for_power_off()
    assert (machine.seen / "dnf").read_text() == "install -y nftables\n"


def test_one_that_cannot_get_a_firewall_says_so_and_serves_jobs_all_the_same(world: World) -> None:
    install = agent_that(f"touch {SEEN}/started")
    machine = world.boot(Published(install=install), files=without_a_firewall("exit 1"))
    assert "no nftables could be installed" in machine.wait_for_power_off()
    assert (machine.seen / "started").exists()


def test_the_runner_user_of_the_settings_is_made_by_the_installation(world: World) -> None:
    world.settings["RUNS_FLEET_RUNNER_USER"] = "builder"
    install = agent_that("true") + f"printf '%s ' \"$@\" >{SEEN}/arguments\n"
    machine = world.boot(Published(install=install))
    machine.wait_for_power_off()
    assert (machine.seen / "arguments").read_text().endswith(" --runner-user builder ")


def test_a_package_manager_gets_the_proxies_in_lower_case_which_apt_reads_alone(
    world: World,
) -> None:
    world.settings["HTTPS_PROXY"] = world.settings["HTTP_PROXY"] = "http://proxy:3128"
    world.settings["NO_PROXY"] = "127.0.0.1,169.254.169.254"
    seen = f'echo "$http_proxy $https_proxy $no_proxy" >{SEEN}/proxies'
    machine = world.boot(Published(install=agent_that("true")), files=without_a_firewall(seen))
    machine.wait_for_power_off()
    proxies = (machine.seen / "proxies").read_text()
    assert proxies == "http://proxy:3128 http://proxy:3128 127.0.0.1,169.254.169.254\n"


def test_a_dry_run_is_not_powered_off_by_the_unit_of_its_agent_either(world: World) -> None:
    world.settings["RUNS_FLEET_DRY_RUN"] = "yes"
    install = agent_that("exit 1").replace("SuccessAction", "FailureAction")
    machine = world.boot(Published(install=install))
    machine.wait_until(lambda: "Failed to start runs-fleet-agent" in machine.console)
    with pytest.raises(subprocess.TimeoutExpired):
        machine.process.wait(3)


def test_a_baked_image_fetches_nothing(world: World) -> None:
    machine = world.boot(baked=True, image=image_with(agent_that(f"touch {SEEN}/started")))
    machine.wait_for_power_off()
    assert (machine.seen / "started").exists()
    assert world.signed.calls == 0


def test_after_a_reboot_the_instance_is_guarded_again_and_the_agent_started_again(
    world: World,
) -> None:
    agent = (
        f"echo boot >>{SEEN}/boots; [ $(wc -l <{SEEN}/boots) = 2 ] || exec systemctl reboot --force"
    )
    machine = world.boot(Published(install=agent_that(agent)), cloud_init=True)
    console = machine.wait_for_power_off()
    assert (machine.seen / "boots").read_text() == "boot\nboot\n"
    assert console.count("Started runs-fleet-dead-man.timer") == 2
    assert world.signed.calls == 2, "what is installed is not fetched again"


def test_a_baked_image_has_the_runner_and_the_database_and_serves_a_job(world: World) -> None:
    if sys.executable == PYTHON:
        pytest.skip("the runner's user needs a Python of its own")
    archive = world.archive
    (world.directory / "artefact").write_bytes(b"the agent")
    (world.directory / "install.sh").write_text(INSTALL)
    given = {
        "--artefact": str(world.directory / "artefact"),
        "--artefact-sha256": "a" * 64,
        "--install": str(world.directory / "install.sh"),
        "--runner-version": archive.version,
        "--runner-sha256": archive.sha256,
        "--github-url": world.cloud.github.url,
    }
    words = [word for pair in given.items() for word in pair]
    provision = shlex.join(["bash", str(ROOT / "deployments/image/provision.sh"), *words])
    world.settings["RUNS_FLEET_RUNNER_USER"] = "runner"
    world.settings["RUNS_FLEET_RUNNER_VERSION"] = archive.version
    world.settings["RUNS_FLEET_RUNNER_SHA256"] = archive.sha256
    world.settings["RUNS_FLEET_DOCTOR_AT_BOOT"] = "1"
    world.cloud.write_config()
    machine = world.boot(cloud_init=True, baked=True, image=f'{provision} --root "$1"')
    machine.wait_until(world.ended, 110)
    assert [m["status"] for m in world.messages()] == ["started", "success"]
    assert any("runner.on_disk" in line for line in world.said())
    assert "ec2:TerminateInstances" in machine.console, (
        "doctor was asked, and the console has its words"
    )


def test_the_dead_man_of_an_image_takes_its_time_from_the_user_data(world: World) -> None:
    enabled = "systemctl enable --quiet runs-fleet-dead-man.timer"
    world.cloud.faults.hang("s3", "*", seconds=600)
    machine = world.boot(image=image_with(f"{INSTALL}\n{enabled}\n"), dead_man_minutes=0.1)
    console = machine.wait_for_power_off()
    assert "the dead-man timer powers this instance off" in console


@pytest.mark.skipif(
    "BOOT_ARTEFACT" not in os.environ,
    reason="`make boot-artefact` boots with what `make artefact` built",
)
def test_the_built_artefact_boots_from_a_stock_image_and_serves_a_job(world: World) -> None:
    install = ROOT / "deployments/install/install.sh"
    built = Path(os.environ["BOOT_ARTEFACT"])
    world.settings["RUNS_FLEET_RUNNER_USER"] = "runner"
    world.cloud.write_config()
    machine = world.boot(Published(built.read_bytes(), install.read_text()), cloud_init=True)
    machine.wait_until(world.ended, 280)
    assert [m["status"] for m in world.messages()] == ["started", "success"]
