"""The boot script on a command line."""

import os
import subprocess

import pytest

from tests.deployments.boot.user_data import BOOT_SCRIPT

GOOD = {
    "--bucket": "b",
    "--version": "0.1.0",
    "--arch": "x64",
    "--artefact-sha256": "a" * 64,
    "--install-sha256": "b" * 64,
}


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(BOOT_SCRIPT), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_help_says_what_it_does_and_what_it_reads() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "or ends the instance" in done.stdout
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" in done.stdout


@pytest.mark.parametrize(
    ("option", "value", "wrong"),
    [
        ("--arch", "x86_64", "--arch 'x86_64' is neither x64 nor arm64"),
        ("--artefact-sha256", "A" * 64, "is not 64 hexadecimal digits"),
        ("--install-sha256", "", "--install-sha256 '' is not 64 hexadecimal digits"),
        ("--bucket", "", "start wants --bucket and --version, or --baked"),
        ("--retries", "many", "--retries many is no number"),
        ("--rebake", "yes", "unknown argument --rebake"),
    ],
)
def test_bad_input_is_one_line(option: str, value: str, wrong: str) -> None:
    given = {**GOOD, option: value}
    done = run("start", *(word for pair in given.items() for word in pair), AWS_REGION="r")
    assert done.returncode == 2
    assert wrong in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("stop",), ("start", "--bucket"), ("failed", "--now")])
def test_so_is_a_bad_command(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, AWS_REGION="r")
    assert done.returncode == 2
    assert done.stderr.endswith("; see --help\n")


def test_the_region_must_be_known() -> None:
    assert "AWS_REGION is not set" in run("start", "--baked").stderr


def test_nothing_is_ended_after_a_start_that_succeeded() -> None:
    done = run("failed", SERVICE_RESULT="success")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
