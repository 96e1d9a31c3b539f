"""Row 7: no job keeps its instance alive, and none ends another. Whole runs whose job does its worst."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.archive.staging import MARKER, installed
from agent.clock import SystemClock
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.outcome import Reason
from agent.runner.commands import environment
from agent.runner.files import registered, secrets_on_disk
from agent.runner.process import cgroup_of, kill_inside
from agent.runner.start import start
from agent.runner.user import runner_user

from .attack import NOBODY, PYTHON, runs_as_nobody

pytestmark = runs_as_nobody

PROCESSES = 120
STAY = """
[ "$(id -un)" = nobody ] || exit 1
set +e
exec > {seen}/said 2>&1
cd {runner}
rm -f .env .credentials_rsaparams .runs-fleet-runner.json
mkfifo .env .credentials_rsaparams .runs-fleet-runner.json || :
mkdir -p _work/a/b/c && touch _work/a/b/c/file && chmod 0 _work/a/b/c _work/a/b
ln -s / _work/root
echo '* * * * * touch /tmp/of-the-job' | crontab - && crontab -r
echo true | at now + 1 hour
systemd-run --user --quiet sleep 1
echo '{{"at": "2026-01-01T00:00:00Z", "fact": "terminate_called"}}'
echo 'Running job: forged'
echo 'instance.terminating instance_id=i-0123456789abcdef0'
echo ready > {seen}/ready
env -i setsid {python} -c 'import signal, time
for n in signal.valid_signals() - {{9, 19}}: signal.signal(n, signal.SIG_IGN)
while True: time.sleep(9)' &
(trap "" INT TERM HUP; setsid sh -c 'trap "" INT TERM HUP; cd /; kill -STOP $$; sleep 99' &)
number=0
while [ $number -lt {most} ] && (sleep 60 &) 2>/dev/null; do number=$((number + 1)); done
echo $number > {seen}/forked
above=$PPID
while [ "$(stat -c %U /proc/$above 2>/dev/null)" = nobody ]; do
  next=$(cut -d' ' -f4 /proc/$above/stat)
  kill -STOP $above
  above=$next
done
kill -STOP $$
"""


def play_out(script: Script, workdir: Path) -> list[dict[str, Any]]:
    """Every promise of the contract must hold, this instance's end and no other's among them; the messages that were sent."""
    with Play(script, workdir, filler_files=20, filler_bytes=200_000) as play:
        play.start()
        exit_status = play.finish()
        broken = [promise for promise in look(play, exit_status) if not promise.held]
        assert broken == [], "\n".join(play.lines)
        return [*play.cloud.messages(), {"own": play.cloud.instance_id}]


@pytest.fixture
def no_survivor(open_dir: Path) -> Iterator[None]:
    """Where the agent failed, nothing of the job stays on the machine of whoever runs the tests."""
    yield
    runner = open_dir / "actions-runner"
    kill_inside(runner, uid=NOBODY, clock=SystemClock())
    if (cgroup := cgroup_of(runner)) is not None:
        cgroup.kill()


def as_nobody(title: str, step: str, reason: Reason, **settings: str) -> Script:
    return Script(
        title,
        runner=Scenario(time_scale=0.1, job=Job(steps=(Step(name=title, run=step),))),
        settings={"RUNS_FLEET_RUNNER_USER": "nobody", **settings},
        interpreter=str(PYTHON),
        reason=reason,
    )


@pytest.mark.usefixtures("no_survivor")
def test_a_job_that_will_not_die_is_gone_in_time_and_the_instance_with_it_and_no_other(
    open_dir: Path,
) -> None:
    seen = open_dir / "seen"
    seen.mkdir()
    shutil.chown(seen, "nobody")
    step = STAY.format(
        seen=seen, runner=open_dir / "actions-runner", python=PYTHON, most=2 * PROCESSES
    )
    *messages, own = play_out(
        as_nobody(
            "stay",
            step,
            Reason.MAX_RUNTIME,
            RUNS_FLEET_MAX_RUNTIME_MINUTES="0.15",
            RUNS_FLEET_GRACE_SECONDS="1",
            RUNS_FLEET_JOB_MAX_PROCESSES=str(PROCESSES),
        ),
        open_dir,
    )
    assert (seen / "ready").exists(), (seen / "said").read_text()
    assert {message["instance_id"] for message in messages} == {own["own"]}
    assert int((seen / "forked").read_text()) < PROCESSES


@pytest.fixture
def small_disk(open_dir: Path) -> Iterator[Path]:
    """Few bytes and few inodes."""
    place = open_dir / "small"
    place.mkdir()
    options = "size=40m,nr_inodes=2000,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, timeout=10)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True, timeout=10)


FILL = """
number=0
while mkdir "$HOME_OF_JUNK/$number" 2>/dev/null; do number=$((number + 1)); done
dd if=/dev/zero of="$RUNNER_TEMP/zeros" bs=1M 2>/dev/null || :
"""


def test_a_disk_without_a_byte_or_an_inode_left_delays_nothing(small_disk: Path) -> None:
    step = FILL.replace("$HOME_OF_JUNK", "$RUNNER_TEMP")
    *_, final, _ = play_out(
        as_nobody("fill", step, Reason.JOB_SERVED, RUNS_FLEET_DISK_MIN_FREE_MB="0"), small_disk
    )
    assert final["status"] == "success"


@pytest.mark.parametrize("name", [".env", ".credentials_rsaparams", ".runner", ".credentials", MARKER])  # fmt: skip
@pytest.mark.timeout(20)
def test_no_pipe_in_the_place_of_a_file_of_the_runners_holds_up_an_agent_that_starts_again(
    tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / name)
    assert secrets_on_disk(tmp_path) == ()
    assert not registered(tmp_path)
    assert installed(tmp_path) is None


def test_the_jobs_user_may_have_half_of_all_processes_and_cannot_raise_that(
    open_dir: Path,
) -> None:
    said = open_dir / "said"
    user = runner_user("nobody")
    folder = open_dir / "runner"
    folder.mkdir()
    command = ["/bin/bash", "-c", "ulimit -Su; ulimit -Hu; ulimit -u unlimited || echo refused"]
    process = start(
        command, cwd=folder, env=environment(user, {}), user=user, output=said, clock=SystemClock()
    )
    process.wait(10)
    soft, hard, *rest = said.read_text().splitlines()
    threads = int(Path("/proc/sys/kernel/threads-max").read_text())
    assert soft == hard
    assert int(hard) <= threads // 2
    assert "refused" in rest
