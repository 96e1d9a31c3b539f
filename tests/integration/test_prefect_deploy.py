"""`prefect deploy` takes deployments/prefect.yaml; `make deployment-check` also runs what it deployed."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deployments/prefect.yaml"


def test_prefect_deploys_the_file_as_it_is(central_prefect: str, tmp_path: Path) -> None:
    (wanted,) = yaml.safe_load(FILE.read_text())["deployments"]
    with httpx.Client(base_url=central_prefect, trust_env=False) as api:
        pool = {"name": wanted["work_pool"]["name"], "type": "process"}
        assert api.post("work_pools/", json=pool).status_code == 201
        done = subprocess.run(
            [
                Path(sys.executable).with_name("prefect"),
                "--no-prompt",
                *("deploy", "--all", "--prefect-file", FILE),
            ],
            cwd=ROOT,
            env={**os.environ, "PREFECT_API_URL": central_prefect, "PREFECT_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        made = api.get(f"deployments/name/play_scenario/{wanted['name']}").json()
    assert made["entrypoint"] == wanted["entrypoint"]
    assert made["parameters"] == wanted["parameters"]
    assert made["work_pool_name"] == wanted["work_pool"]["name"]
