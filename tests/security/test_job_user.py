"""Row 1: what a job tries against the agent's processes, files and privileges, as the job's user, in a whole run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.outcome import Reason
from agent.runner.user import RunnerUser

from .attack import NOBODY, attack, runs_as_nobody
from .attacker import DONE

SUDOERS = Path(__file__).parents[2] / "deployments/sudo/runs-fleet-runner"

pytestmark = runs_as_nobody


def test_a_job_can_neither_read_nor_signal_nor_change_the_agent_nor_become_root(
    open_dir: Path,
) -> None:
    attacked = attack(open_dir, settings={})
    said = attacked.said
    assert said["uid"] == NOBODY
    assert set(said["groups"]) == {NOBODY}
    assert not [name for name in said["environment"] if name.startswith(("AWS_", "RUNS_FLEET_", "PREFECT_", "NOTIFY_"))]  # fmt: skip
    attacks = said["attacks"]
    assert sum("SIGKILL" in name for name in attacks) >= 2
    assert sum("journal.jsonl" in name for name in attacks) >= 4
    assert [name for name, outcome in attacks.items() if outcome == DONE] == []
    # Nothing of it cost the run anything: `attack` looked at every promise, also that the runner's directory is gone.
    assert attacked.play.script.reason is Reason.JOB_SERVED


def test_a_user_whom_the_image_put_into_a_group_worth_root_is_named() -> None:
    ordinary = RunnerUser("runner", 1001, 1001, Path("/home/runner"), (1001, 65534), switch=True)
    strong = RunnerUser("runner", 1001, 1001, Path("/home/runner"), (1001, 0), switch=True)
    root = RunnerUser("root", 0, 0, Path("/root"), (0,), switch=False)
    assert ordinary.groups_worth_root() == ()
    assert strong.groups_worth_root() == ("root",)
    assert root.groups_worth_root() == ()


@pytest.mark.skipif(
    None in {shutil.which(name) for name in ("sudo", "visudo", "unshare")},
    reason="there is no sudo on this machine (apt-get install sudo)",
)
def test_sudo_is_refused_without_the_shipped_file_and_given_with_it(tmp_path: Path) -> None:
    assert "nobody" not in SUDOERS.read_text()
    subprocess.run(["visudo", "-cqf", SUDOERS], check=True, timeout=10)
    folder = tmp_path / "sudoers.d"
    folder.mkdir(mode=0o755)
    ask = f'mount --bind "{folder}" /etc/sudoers.d; exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups sudo -n id -u'

    def asked() -> str:
        return subprocess.run(
            ["unshare", "--mount", "sh", "-ec", ask],
            check=False, capture_output=True, text=True, timeout=30, cwd="/",
        ).stdout.strip()  # fmt: skip

    assert asked() == ""
    installed = folder / SUDOERS.name
    installed.write_text(SUDOERS.read_text().replace("runner ", "nobody "))
    installed.chmod(0o440)
    assert asked() == "0"
