"""As root, the agent hands everything of the runner's to an ordinary user and keeps the rest to itself."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.localcloud.runner.scenario import Job, Scenario, Step

PYTHON = Path("/usr/bin/python3")
LOOK = """
exec > "$GITHUB_WORKSPACE/../../../../seen/by-the-job" 2>&1
id -un
umask
ls "{state}" || echo the state directory is closed
env | grep -E '^(AWS|RUNS_FLEET|PREFECT)_' || echo no variable of the agent
"""


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """pytest's own directories are closed to other users."""
    path = Path(tempfile.mkdtemp(prefix="runs-fleet-user-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not PYTHON.exists(), reason="the other user needs a Python of its own")
def test_a_job_runs_as_the_runner_user_and_sees_nothing_of_the_agent(open_dir: Path) -> None:
    seen = open_dir / "seen"
    seen.mkdir()
    shutil.chown(seen, "nobody")
    step = Step(name="look", run=LOOK.format(state=open_dir / "state"))
    script = Script(
        "user",
        runner=Scenario(time_scale=0.1, job=Job(steps=(step,))),
        settings={"RUNS_FLEET_RUNNER_USER": "nobody"},
        interpreter=str(PYTHON),
    )
    with Play(script, open_dir) as play:
        play.start()
        exit_status = play.finish()
        broken = [promise for promise in look(play, exit_status) if not promise.held]
        assert broken == [], "\n".join(play.lines)
    user, mask, *rest = (seen / "by-the-job").read_text().splitlines()
    assert (user, mask) == ("nobody", "0077")
    assert "the state directory is closed" in rest
    assert "no variable of the agent" in rest
