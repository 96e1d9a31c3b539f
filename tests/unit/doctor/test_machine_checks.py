import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.doctor.finding import Verdict
from agent.doctor.machine import (
    check_disk,
    check_firewall,
    check_imports,
    check_memory,
    check_python,
    check_runner_user,
)
from agent.settings import Settings
from agent.watchers.disk import MB
from tests.unit.doctor.baked import bake

GB = 1024 * MB


def settings(**given: str) -> Settings:
    return Settings.from_environment({f"RUNS_FLEET_{k.upper()}": v for k, v in given.items()})


def free(count: int) -> Callable[[Path], int]:
    return lambda _path: count


def test_a_python_that_is_too_old_is_named_with_its_mend() -> None:
    old = check_python((3, 9, 18))
    assert (old.verdict, old.seen.split(",")[0]) == (Verdict.FAILED, "Python 3.9.18")
    assert "3.11" in old.mend
    assert check_python().verdict is Verdict.OK


def test_the_agent_s_own_modules_can_be_imported() -> None:
    assert check_imports(("agent.cli", "tasks")).verdict is Verdict.OK


def test_a_module_that_cannot_be_imported_is_named() -> None:
    found = check_imports(("agent.cli", "no_such_module"))
    assert found.verdict is Verdict.FAILED
    assert "no_such_module" in found.seen
    assert "install.sh" in found.mend


def test_a_library_of_the_system_that_is_missing_is_no_fault_of_the_artefact() -> None:
    said = "libstdc++.so.6: cannot open shared object file: No such file or directory"
    found = check_imports((f"os; raise ImportError({said!r})",))
    assert said in found.seen
    assert "libstdc++" in found.mend


def test_a_module_that_crashes_the_process_crashes_no_doctor() -> None:
    assert check_imports(("os; os.abort()",)).verdict is Verdict.FAILED


def test_a_disk_with_room_for_runner_state_and_job_is_well(tmp_path: Path) -> None:
    here = settings(runner_dir=str(tmp_path / "runner"), state_dir=str(tmp_path / "state"))
    found = check_disk(here, free(2 * GB))
    assert [each.verdict for each in found] == [Verdict.OK, Verdict.OK]


def test_a_full_disk_is_named_with_what_is_free_and_what_is_needed(tmp_path: Path) -> None:
    here = settings(runner_dir=str(tmp_path / "runner"), state_dir=str(tmp_path / "state"))
    runner, state = check_disk(here, free(300 * MB))
    assert (runner.verdict, state.verdict) == (Verdict.FAILED, Verdict.FAILED)
    assert runner.seen == f"300 MB free for {tmp_path}/runner, 1500 MB are needed to begin"
    assert "larger volume" in runner.mend


def test_a_runner_on_disk_needs_no_more_room_for_itself(tmp_path: Path) -> None:
    bake(tmp_path, "0" * 64)
    here = settings(runner_dir=str(tmp_path), state_dir=str(tmp_path / "state"))
    assert check_disk(here, free(700 * MB))[0].verdict is Verdict.OK


def test_free_space_is_asked_of_the_nearest_directory_that_exists(tmp_path: Path) -> None:
    asked: list[Path] = []

    def remember(path: Path) -> int:
        asked.append(path)
        return GB

    check_disk(settings(runner_dir=f"{tmp_path}/a/b/c", state_dir=f"{tmp_path}/d"), remember)
    assert asked == [tmp_path, tmp_path]


@pytest.mark.parametrize(
    ("available_mb", "verdict"),
    [(8000, Verdict.OK), (399, Verdict.WARNING), (150, Verdict.FAILED)],
)
def test_memory_is_judged_by_what_agent_and_job_need(available_mb: int, verdict: Verdict) -> None:
    assert check_memory(settings(), available_mb * MB).verdict is verdict


def test_a_runner_user_that_does_not_exist_is_named_with_the_command_that_makes_it() -> None:
    found = check_runner_user(settings(runner_user="nobody-here"))
    assert found.verdict is Verdict.FAILED
    assert "useradd --create-home nobody-here" in found.mend


def test_the_user_who_runs_this_can_run_a_runner() -> None:
    import os

    name = pwd.getpwuid(os.geteuid()).pw_name
    assert check_runner_user(settings(runner_user=name)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("may_use", "in_image", "verdict"),
    [
        ("false", False, Verdict.WARNING),
        ("never", False, Verdict.FAILED),
        ("true", False, Verdict.SKIPPED),
        ("false", True, Verdict.FAILED),
        ("true", True, Verdict.FAILED),
    ],
)
def test_a_machine_without_a_firewall_is_judged_by_who_may_use_the_role(
    may_use: str,
    in_image: bool,  # noqa: FBT001
    verdict: Verdict,
) -> None:
    here = settings(job_may_use_instance_role=may_use)
    found = check_firewall(here, must_be_there=in_image, which=lambda _: None)
    assert found.verdict is verdict
    if verdict is not Verdict.SKIPPED:
        assert "neither nft nor iptables" in found.seen
        assert "dnf install -y nftables" in found.mend


@pytest.mark.parametrize("tool", ["nft", "iptables"])
def test_either_firewall_will_do(tool: str) -> None:
    found = check_firewall(
        settings(job_may_use_instance_role="never"),
        must_be_there=True,
        which={tool: f"/usr/sbin/{tool}"}.get,
    )
    assert (found.verdict, found.seen.split()[0]) == (Verdict.OK, tool)
