import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a flow on our own API left behind; in a process of its own, because what it leaves out stays out."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.unit.flows.a_flow_on_our_api",
            tmp_path_factory.mktemp("api"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    return dict(json.loads(done.stdout))
