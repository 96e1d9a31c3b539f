import os
import signal
import sys
from pathlib import Path

import pytest

from agent.errors import RunnerDirError
from agent.runner.commands import environment
from agent.runner.launcher import MARK
from agent.runner.start import start
from agent.runner.user import runner_user

from .conftest import Stage


def test_a_child_sees_the_allow_list_and_nothing_else(stage: Stage) -> None:
    base = {
        "PATH": "/usr/bin:/bin",
        "LC_TIME": "C",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "169.254.169.254",
        "ACTIONS_RUNNER_HOOK_JOB_STARTED": "/opt/hook.sh",
        "AGENT_TOOLSDIRECTORY": "/opt/tools",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "RUNS_FLEET_GITHUB_TOKEN": "canary",
        "PREFECT_API_KEY": "canary",
        "LD_LIBRARY_PATH": "/frozen/agent",
        "RUNNER_TRACKING_ID": "github_of_another_job",
        "ACTIONS_RUNNER_INPUT_TOKEN": "canary",
    }
    seen = dict(
        line.split("=", 1)
        for line in stage.run("/usr/bin/env", env=environment(stage.user, base)).splitlines()
    )
    root_only = {"RUNNER_ALLOW_RUNASROOT"} if stage.user.uid == 0 else set()
    assert set(seen) == root_only | {
        "PATH", "LC_TIME", "https_proxy", "NO_PROXY", "ACTIONS_RUNNER_HOOK_JOB_STARTED", "AGENT_TOOLSDIRECTORY",
        "HOME", "USER", "LOGNAME", "SHELL",
        "RUNNER_MANUALLY_TRAP_SIG", "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", MARK,
    }  # fmt: skip
    assert seen["HOME"] == str(stage.user.home)


def test_no_signal_is_ignored_or_blocked_in_the_child_although_the_agent_ignores_and_blocks(
    stage: Stage,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    try:
        said = stage.run("/bin/grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1, signal.SIGTERM})
        signal.signal(signal.SIGINT, before)
    # Signals 32 and 33 are the C library's own; it lets nobody unblock them.
    masks = [int(line.split()[1], 16) & ~(0b11 << 31) for line in said.splitlines()]
    assert masks == [0, 0]


def test_files_of_the_child_are_private(stage: Stage) -> None:
    assert stage.run("/bin/sh", "-c", "umask") == "0077\n"


def test_stdout_and_stderr_keep_their_order_behind_what_was_there_already(stage: Stage) -> None:
    stage.output.write_text("before\n")
    assert stage.run("/bin/sh", "-c", "echo 1; echo 2 >&2; echo 3") == "before\n1\n2\n3\n"


def test_the_output_file_is_made_private(stage: Stage) -> None:
    stage.run("/bin/true")
    assert stage.output.stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_place_of_the_output_file_is_not_followed(stage: Stage) -> None:
    victim = stage.dir / "victim"
    stage.output.symlink_to(victim)
    with pytest.raises(RunnerDirError):
        stage.start("/bin/true")
    assert not victim.exists()


def test_stdin_is_empty(stage: Stage) -> None:
    assert stage.run("/bin/cat") == ""


def test_the_child_leads_a_session_of_its_own_and_starts_in_the_runner_directory(
    stage: Stage,
) -> None:
    said = stage.run(
        sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid(), os.getcwd())"
    )
    assert said == f"True {stage.dir}\n"


def test_no_descriptor_of_the_agent_reaches_the_child(stage: Stage) -> None:
    with (stage.dir / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - positional only
        said = stage.run("/bin/ls", "/proc/self/fd")
    assert sorted(map(int, said.split())) == [0, 1, 2, 3]  # 3 is ls's own


@pytest.mark.parametrize("name", ["missing.sh", "not-executable.sh"])
def test_a_script_that_cannot_be_executed_is_named_with_the_cause(stage: Stage, name: str) -> None:
    stage.script("not-executable.sh", "#!/bin/sh\n").chmod(0o600)
    with pytest.raises(RunnerDirError, match=rf"\./{name} cannot be started in .*: (No such|Perm)"):
        stage.start(f"./{name}")


def test_a_missing_runner_directory_is_named(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RunnerDirError, match="No such file or directory"):
        start(
            ["/bin/true"],
            cwd=tmp_path / "nowhere",
            env=stage.env,
            user=stage.user,
            output=stage.output,
            clock=stage.clock,
        )


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_runner_user_with_its_groups(stage: Stage) -> None:
    stage.user = runner_user("nobody")
    assert stage.user.switch
    said = stage.run("/bin/sh", "-c", "id -u; id -g; id -G")
    uid, gid, groups = said.splitlines()
    assert (int(uid), int(gid)) == (stage.user.uid, stage.user.gid)
    assert set(map(int, groups.split())) == set(stage.user.groups)
    assert stage.output.stat().st_uid == 0


def test_a_child_is_killed_for_memory_like_any_other_process_however_the_agent_is_shielded(
    stage: Stage,
) -> None:
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("300")
    try:
        assert stage.run("/bin/cat", "/proc/self/oom_score_adj") == "0\n"
    finally:
        own.write_text(before)
