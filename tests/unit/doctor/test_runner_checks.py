import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.doctor.finding import Verdict
from agent.doctor.runner import LOADED, check_libraries, check_runner, run_program
from agent.settings import Settings
from tests.unit.doctor.baked import bake

DIGEST = "ab" * 32
CACHE = "\n".join(f"\t{name}.so.1 (libc6,x86-64) => /lib/{name}.so.1" for name in LOADED)


class Tools:
    """What ldconfig and ldd print."""

    def __init__(self, cache: str = CACHE, ldd: str = "") -> None:
        self.said = {"ldconfig": cache, "ldd": ldd}
        self.commands: list[list[str]] = []

    def __call__(self, command: Sequence[str]) -> str:
        self.commands.append(list(command))
        return self.said[command[0]]


def settings(runner_dir: Path, **given: str) -> Settings:
    return Settings.from_environment({"RUNS_FLEET_RUNNER_DIR": str(runner_dir), **given})


@pytest.fixture
def baked(tmp_path: Path) -> Path:
    bake(tmp_path, DIGEST)
    (tmp_path / "bin/libcoreclr.so").touch()
    return tmp_path


def test_no_runner_is_fine_on_an_instance_and_missing_in_an_image(tmp_path: Path) -> None:
    none = settings(tmp_path)
    assert check_runner(none, must_be_there=False).verdict is Verdict.SKIPPED
    in_image = check_runner(none, must_be_there=True)
    assert (in_image.verdict, bool(in_image.mend)) == (Verdict.FAILED, True)


def test_the_runner_on_disk_is_named_by_version_and_digest(baked: Path) -> None:
    found = check_runner(settings(baked), must_be_there=True)
    assert found.verdict is Verdict.OK
    assert "2.336.0 (x64)" in found.seen
    assert DIGEST in found.seen


@pytest.mark.parametrize(
    "wanted",
    [
        {"RUNS_FLEET_RUNNER_VERSION": "2.337.1"},
        {"RUNS_FLEET_RUNNER_VERSION": "2.336.0", "RUNS_FLEET_RUNNER_SHA256": "cd" * 32},
    ],
)
def test_another_runner_than_the_one_that_is_wanted_is_a_warning(
    baked: Path, wanted: dict[str, str]
) -> None:
    found = check_runner(settings(baked, **wanted), must_be_there=True)
    assert (found.verdict, bool(found.mend)) == (Verdict.WARNING, True)


def test_libraries_that_are_all_there_are_well(baked: Path) -> None:
    tools = Tools(ldd="\tlibz.so.1 => /lib/libz.so.1 (0x1)\n")
    assert check_libraries(baked, tools).verdict is Verdict.OK
    assert tools.commands[1] == ["ldd", str(baked / "bin/libcoreclr.so")]


def test_a_library_that_is_loaded_by_name_is_missed_although_ldd_does_not_show_it(
    tmp_path: Path,
) -> None:
    without_icu = "\n".join(line for line in CACHE.splitlines() if "icu" not in line)
    found = check_libraries(tmp_path, Tools(cache=without_icu))
    assert found.verdict is Verdict.FAILED
    assert found.seen == "not found: libicuuc (ICU)"
    assert "libicu" in found.mend


def test_what_ldd_does_not_find_is_named_but_for_tracing(baked: Path) -> None:
    said = "\tlibgcc_s.so.1 => not found\n\tliblttng-ust.so.0 => not found\n"
    assert check_libraries(baked, Tools(ldd=said)).seen == "not found: libgcc_s.so.1"


def test_a_machine_without_the_tools_is_told_which_is_missing(tmp_path: Path) -> None:
    def none(command: Sequence[str]) -> str:
        raise FileNotFoundError(2, "No such file or directory", command[0])

    found = check_libraries(tmp_path, none)
    assert found.verdict is Verdict.FAILED
    assert "ldconfig" in found.seen
    assert found.mend


def test_a_tool_is_found_in_sbin_and_speaks_english(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text('#!/bin/sh\necho "$LC_ALL $PATH"; echo more >&2\n')
    program.chmod(0o755)
    said = run_program(["tool"], {"PATH": f"{tmp_path}:{os.defpath}", "LANG": "de_DE.UTF-8"})
    assert said.startswith("C ")
    assert said.strip().endswith(":/usr/sbin:/sbin\nmore")


def test_a_tool_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="no-such-tool"):
        run_program(["no-such-tool"], {"PATH": "/nowhere"})


def test_the_real_tools_are_understood(tmp_path: Path) -> None:
    try:
        found = check_libraries(tmp_path, lambda command: run_program(command, os.environ))
    except subprocess.SubprocessError:
        pytest.fail("the tools hang")
    assert found.verdict in (Verdict.OK, Verdict.FAILED)
    assert "zlib" in found.seen or "not found" in found.seen
