"""`runs-fleet-agent doctor` as a process, against the embedded cloud."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.localcloud.cloud import LocalCloud
from agent.localcloud.faults import BlackHole
from agent.localcloud.runner.build import build_archive
from agent.localcloud.runner.scenario import Scenario

LIMIT_SECONDS = 30
Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    workdir = tmp_path_factory.mktemp("doctor")
    archive = build_archive(workdir / "release", Scenario(), filler_files=1, filler_bytes=1000)
    with LocalCloud(workdir, archive) as cloud:
        yield cloud


@pytest.fixture
def doctor(cloud: LocalCloud, tmp_path: Path) -> Iterator[Doctor]:
    def run(*options: str, **more: str) -> tuple[int, dict[str, dict[str, Any]]]:
        given = {
            "RUNS_FLEET_TERMINATION_QUEUE_URL": cloud.queue_url,
            "RUNS_FLEET_RUNNER_USER": pwd.getpwuid(os.geteuid()).pw_name,
            "RUNS_FLEET_RUNNER_DIR": str(tmp_path / "runner"),
            "RUNS_FLEET_STATE_DIR": str(tmp_path / "state"),
            **more,
        }
        done = subprocess.run(
            [sys.executable, "-m", "agent", "doctor", "--json", *options],
            env=cloud.environment_over(os.environ, **given),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        report = json.loads(done.stdout)
        assert report["ok"] is (done.returncode == 0)
        return done.returncode, {check["name"]: check for check in report["checks"]}

    yield run
    cloud.faults.clear()


def named(checks: dict[str, dict[str, Any]], verdict: str) -> set[str]:
    return {name for name, check in checks.items() if check["verdict"] == verdict}


def test_an_instance_that_has_all_it_needs_is_well_and_left_as_it_was(
    doctor: Doctor, cloud: LocalCloud
) -> None:
    cloud.write_config()
    status, checks = doctor()
    failed = named(checks, "failed") - {"runner libraries"}
    assert failed == set(), checks
    assert status == (1 if checks["runner libraries"]["verdict"] == "failed" else 0)
    for permission in ("ec2:TerminateInstances", "ssm:GetParameter", "ssm:DeleteParameter",
                       "s3:GetObject", "s3:PutObject", "logs:PutLogEvents"):  # fmt: skip
        assert checks[permission]["verdict"] == "ok", checks[permission]
    assert checks["sqs:SendMessage"]["verdict"] == "skipped"
    assert checks["clock"]["verdict"] == "ok"
    assert cloud.instance_state() == "running"
    assert cloud.messages() == []
    assert cloud.stored("runners/") == {}
    assert len(cloud.parameters()) == 1


def test_each_refused_permission_is_named_with_its_mend(doctor: Doctor, cloud: LocalCloud) -> None:
    for service, operation, code in (
        ("ec2", "TerminateInstances", "UnauthorizedOperation"),
        ("ssm", "GetParameter", "AccessDeniedException"),
        ("ssm", "DeleteParameter", "AccessDeniedException"),
        ("s3", "GetObject", "AccessDenied"),
        ("s3", "PutObject", "AccessDenied"),
        ("sqs", "SendMessage", "AccessDenied"),
        ("logs", "CreateLogStream", "AccessDeniedException"),
        ("logs", "PutLogEvents", "AccessDeniedException"),
    ):
        cloud.faults.fail(service, operation, status=403, code=code)
    status, checks = doctor("--send")
    assert status == 1
    refused = {
        "ec2:TerminateInstances", "ssm:GetParameter", "s3:PutObject",
        "sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip
    assert refused <= named(checks, "failed")
    assert {"ssm:DeleteParameter", "s3:GetObject"} <= named(checks, "warning")
    for permission in (*refused, "ssm:DeleteParameter", "s3:GetObject"):
        assert f"give the instance role `{permission}` on " in checks[permission]["mend"]


def test_what_is_missing_outside_of_the_role_is_named_too_and_a_message_is_sent_on_demand(
    doctor: Doctor, cloud: LocalCloud
) -> None:
    status, checks = doctor(
        "--send",
        RUNS_FLEET_RUNNER_USER="nobody-here",
        RUNS_FLEET_GRACE_SECONDS="soon",
        RUNS_FLEET_DISK_MIN_FREE_MB="999999999",
        RUNS_FLEET_CONFIG_BUCKET="no-such-bucket",
        RUNS_FLEET_GITHUB_URL="http://127.0.0.1:9",
        RUNS_FLEET_LOG_GROUP="/no/such/group",
    )
    assert status == 1
    missing = {
        "settings", "runner user", "disk: runner", "GitHub",
        "s3:GetObject", "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip
    assert missing <= named(checks, "failed")
    assert all(checks[name]["mend"] for name in missing)
    assert checks["sqs:SendMessage"]["verdict"] == "ok"
    # None that an orchestrator acts on: it has no status.
    assert cloud.messages() == [{"doctor": cloud.instance_id}]


def test_a_world_that_never_answers_costs_less_than_half_a_minute(doctor: Doctor) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    with BlackHole() as nobody:
        status, checks = doctor(
            RUNS_FLEET_INSTANCE_ID="i-0123456789abcdef0",
            AWS_REGION="eu-central-1",
            AWS_ENDPOINT_URL=nobody.url,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=nobody.url,
            RUNS_FLEET_GITHUB_API_URL=nobody.url,
            RUNS_FLEET_GITHUB_URL=nobody.url,
        )
    assert clock.monotonic() - began < LIMIT_SECONDS
    assert status == 1
    assert {"ec2:TerminateInstances", "ssm:GetParameter", "GitHub"} <= named(checks, "failed")
    assert checks["clock"]["verdict"] == "skipped"


def test_an_image_is_looked_at_without_settings_network_or_account(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    before = len(cloud.aws.calls), len(cloud.metadata.calls)
    given = {"RUNS_FLEET_RUNNER_DIR": str(tmp_path), "RUNS_FLEET_GRACE_SECONDS": "soon"}
    done = subprocess.run(
        [sys.executable, "-m", "agent", "doctor", "--image"],
        env=cloud.environment_over(os.environ, **given),
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    found = {line[9:].partition("  ")[0]: line.split()[0] for line in lines if line[:1] != " "}
    assert list(found)[:-1] == [
        "python", "agent", "disk: runner", "disk: state", "memory",
        "runner user", "firewall", "runner", "runner libraries", "systemd units",
    ]  # fmt: skip
    assert (found["python"], found["agent"], found["runner"]) == ("ok", "ok", "failed")
    assert "→ bake one" in done.stdout
    assert lines[-1].startswith("something is missing: ")
    assert (len(cloud.aws.calls), len(cloud.metadata.calls)) == before
