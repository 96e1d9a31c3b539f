"""The first command of the README, as a newcomer types it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_demo_serves_a_job_and_sees_every_promise_held(tmp_path: Path) -> None:
    # The virtual environment of the tests stands in for the one that the target makes anew where its stamp is old.
    stamp, folder = tmp_path / "installed", tmp_path / "tmp"
    stamp.touch()
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        [
            "make",
            f"BIN={Path(sys.executable).parent}",
            f"INSTALLED={stamp}",
            "VENV=/nowhere",
            "demo",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All promises held" in done.stdout
    assert list(folder.iterdir()) == [], "nothing of it is left"
