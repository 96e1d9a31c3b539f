"""Whatever goes wrong at boot, the instance is ended, and a person can read why."""

import pytest

from agent.localcloud.imds import SECRET_ACCESS_KEY, SESSION_TOKEN
from tests.deployments.boot.conftest import Published, World, drop_in
from tests.deployments.boot.machine import SEEN, Machine
from tests.deployments.standins import agent_that

pytestmark = pytest.mark.root


def assert_ended(world: World, machine: Machine, why: str) -> None:
    """By EC2 and by its own power button, with the reason where people look for it, and guarded from the beginning."""
    console = machine.wait_for_power_off()
    assert world.ended()
    assert f"runs-fleet: the agent could not be started: {why}" in console
    assert any(" ERROR boot.sh boot.failed " in line and why in line for line in world.said())
    (message,) = world.messages()
    assert (message["instance_id"], message["status"]) == (
        world.cloud.instance_id,
        "bootstrap_failed",
    )
    assert why in message["error"]
    assert world.signed.refused == []
    assert console.index("Started runs-fleet-dead-man.timer") < console.index(
        "Starting runs-fleet-boot"
    )


def test_an_artefact_with_another_digest_is_not_executed(world: World) -> None:
    install = agent_that("true") + f"touch {SEEN}/installed\n"
    machine = world.boot(Published(install=install), agent_sha256="0" * 64)
    assert_ended(
        world, machine, "s3://runs-fleet-cache/agent/0.1.0/x64/runs-fleet-agent.pex has SHA-256"
    )
    assert not (machine.seen / "installed").exists()


def test_an_install_script_with_another_digest_is_not_executed(world: World) -> None:
    install = f"touch {SEEN}/installed\n"
    machine = world.boot(Published(install=install), install_sha256="0" * 64)
    assert_ended(world, machine, "s3://runs-fleet-cache/agent/0.1.0/x64/install.sh has SHA-256")
    assert not (machine.seen / "installed").exists()


def test_a_version_that_nobody_published(world: World) -> None:
    machine = world.boot(agent_version="0.1.1+x")
    assert_ended(
        world,
        machine,
        "s3://runs-fleet-cache/agent/0.1.1+x/x64/install.sh could not be fetched: curl: (22)",
    )


def test_an_s3_that_fails(world: World) -> None:
    world.cloud.faults.fail("s3", "*", status=503, code="SlowDown")
    assert_ended(
        world,
        world.boot(),
        "s3://runs-fleet-cache/agent/0.1.0/x64/install.sh could not be fetched: curl: (22)",
    )


def test_an_installation_that_fails(world: World) -> None:
    install = "echo 'no Python 3.11 to be had' >&2; exit 3\n"
    assert_ended(
        world, world.boot(Published(install=install)), "install.sh failed: no Python 3.11 to be had"
    )


def test_an_installation_without_a_service(world: World) -> None:
    assert_ended(world, world.boot(Published(install="true\n")), "boot.sh, line")


def test_a_firewall_that_is_demanded_and_cannot_be_installed(world: World) -> None:
    world.settings["RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE"] = "never"
    bare = {
        "/usr/local/sbin/dnf": "#!/bin/sh\nexit 1\n",
        **drop_in("Environment=PATH=/usr/local/sbin:/usr/bin:/bin"),
    }
    assert_ended(world, world.boot(files=bare), "nftables could not be installed")


def test_an_image_without_the_agent(world: World) -> None:
    assert_ended(
        world, world.boot(baked=True), "this image has no /opt/runs-fleet/bin/runs-fleet-agent"
    )


def test_an_s3_that_hangs(world: World) -> None:
    world.cloud.faults.hang("s3", "*", seconds=600)
    assert_ended(
        world,
        world.boot(files=drop_in("TimeoutStartSec=3")),
        "it took too long, while fetching s3://",
    )


def test_a_boot_script_that_is_killed_and_what_it_tells_on_its_command_lines(world: World) -> None:
    world.cloud.faults.hang("s3", "*", seconds=600)
    machine = world.boot()
    machine.wait_until(lambda: bool(machine.processes("x64/install.sh")))
    lines = [" ".join(process.cmdline()) for process in machine.processes("")]
    assert not any(
        secret in line for line in lines for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN)
    )
    script, *_ = machine.processes("runs-fleet-boot start")
    script.kill()
    assert_ended(world, machine, "it was ended (signal KILL) while fetching s3://")


def test_settings_that_cloud_init_could_not_write(world: World) -> None:
    machine = world.boot(
        cloud_init=True, files={"/etc/runs-fleet": "in the way", **drop_in(*world.leads())}
    )
    console = machine.wait_for_power_off()
    assert "there is no /etc/runs-fleet/agent.env" in console
    assert world.ended()


def test_a_boot_script_that_cloud_init_could_not_write(world: World) -> None:
    machine = world.boot(
        cloud_init=True, files={"/usr/local/sbin/runs-fleet-boot/here": "in the way"}
    )
    assert "Failed to start runs-fleet-boot.service" in machine.wait_for_power_off()


def test_an_instance_without_metadata_powers_itself_off(world: World) -> None:
    world.settings["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:9"
    console = world.boot().wait_for_power_off()
    assert "the instance metadata service gave neither instance nor role: curl: (7)" in console
    assert not world.ended()


def test_an_aws_that_takes_no_word_leaves_the_power_button(world: World) -> None:
    for service in ("logs", "sqs", "ec2"):
        world.cloud.faults.fail(service, "*", status=403, code="AccessDenied")
    console = world.boot(baked=True).wait_for_power_off()
    assert "this image has no /opt/runs-fleet/bin/runs-fleet-agent" in console
    assert world.cloud.instance_state() == "running"


def test_the_dead_man_ends_an_instance_whose_boot_never_does(world: World) -> None:
    world.cloud.faults.hang("s3", "*", seconds=600)
    console = world.boot(dead_man_minutes=0.1).wait_for_power_off()
    assert "the dead-man timer powers this instance off" in console


def test_an_instance_that_cannot_be_guarded_is_powered_off_at_once(world: World) -> None:
    console = world.boot(dead_man_minutes="soon").wait_for_power_off()
    assert "nothing would end this instance, so it is powered off now" in console
    assert "Starting runs-fleet-boot" not in console


def test_a_dry_run_says_why_and_leaves_the_instance_to_the_dead_man(world: World) -> None:
    world.settings["RUNS_FLEET_DRY_RUN"] = "true"
    machine = world.boot(baked=True)
    machine.wait_until(lambda: "Failed to start runs-fleet-boot" in machine.console)
    assert any("this image has no" in line for line in world.said())
    assert "only the dead-man timer will end it" in machine.console
    assert machine.process.poll() is None
    assert world.cloud.instance_state() == "running"
