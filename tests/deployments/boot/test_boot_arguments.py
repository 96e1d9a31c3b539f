"""The boot script on a command line."""

import os
import subprocess
from pathlib import Path

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
        env={"PATH": os.environ["PATH"]} | environment,
    )


def test_help_says_what_it_does_and_what_it_reads() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "or ends the instance" in done.stdout
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" in done.stdout
    assert "…_DOCTOR_AT_BOOT" in done.stdout


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


@pytest.mark.parametrize("version", ["7.81.0", "7.86.0", "6.99.9"])
def test_a_curl_that_signs_no_session_token_is_refused_by_its_version(
    tmp_path: Path, version: str
) -> None:
    done = start_with_curl(tmp_path, version)
    assert done.returncode == 2
    assert done.stderr == (
        f"runs-fleet-boot: 'curl {version}' cannot sign for S3: curl 7.87 or newer is wanted; see --help\n"
    )


@pytest.mark.parametrize("version", ["7.87.0", "7.88.1", "8.5.0", "10.0.0"])
def test_one_that_signs_it_is_not(tmp_path: Path, version: str) -> None:
    assert "there is no /etc/runs-fleet/agent.env" in start_with_curl(tmp_path, version).stderr


def start_with_curl(directory: Path, version: str) -> "subprocess.CompletedProcess[str]":
    """On a machine that it cannot harm: there is no systemd, and no settings."""
    for name, does in (("curl", f"echo 'curl {version} (x86_64) libcurl/{version}'"), ("systemctl", "true")):  # fmt: skip
        (directory / name).write_text(f"#!/bin/sh\n{does}\n")
        (directory / name).chmod(0o755)
    return run(
        "start",
        *(word for pair in GOOD.items() for word in pair),
        AWS_REGION="r",
        PATH=f"{directory}:{os.environ['PATH']}",
        RUNTIME_DIRECTORY=str(directory),
    )


def test_nothing_is_ended_after_a_start_that_succeeded() -> None:
    done = run("failed", SERVICE_RESULT="success")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
