"""deployments/prefect.yaml against a Prefect server: deployed, run by a worker, and looked at through the API."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object

from agent.demo.scenarios import scenarios
from tests.deployments.dev.stock_prefect import ROOT, StockPrefect

FILE = ROOT / "deployments/prefect.yaml"
TASKS = {
    "fetch_config",
    "download",
    "verify",
    "register",
    "notify",
    "execute",
    "clean_up",
    "terminate",
}


@pytest.fixture
def deployment() -> dict[str, Any]:
    (only,) = yaml.safe_load(FILE.read_text())["deployments"]
    return dict(only)


@pytest.fixture
def home(tmp_path: Path, migrated_prefect_home: Path) -> Path:
    return Path(shutil.copytree(migrated_prefect_home, tmp_path / "prefect"))


def test_the_entrypoint_is_a_flow_that_offers_every_scenario(deployment: dict[str, Any]) -> None:
    path, _, name = deployment["entrypoint"].partition(":")
    assert (ROOT / path).is_file()
    flow = import_object(f"{path.removesuffix('.py').replace('/', '.')}.{name}")
    offered = parameter_schema(flow.fn).model_dump()["properties"]["scenario"]["enum"]
    assert offered == list(scenarios(Path("/")))
    assert deployment["parameters"]["scenario"] in offered


def test_the_commands_that_the_file_names_are_those_that_deploy_and_run_it(
    deployment: dict[str, Any],
) -> None:
    text = FILE.read_text()
    pool = deployment["work_pool"]["name"]
    assert f"prefect work-pool create {pool} --type process" in text
    assert f"prefect worker start --pool {pool}" in text
    assert f"prefect deployment run play_scenario/{deployment['name']}" in text


@pytest.mark.deployment
@pytest.mark.timeout(600)
def test_a_worker_plays_the_job_flow_and_its_tasks_show_on_the_server(
    deployment: dict[str, Any], home: Path
) -> None:
    pool, name = deployment["work_pool"]["name"], f"play_scenario/{deployment['name']}"
    with StockPrefect(home) as server:
        server.cli("work-pool", "create", pool, "--type", "process")
        server.cli("deploy", "--all", "--prefect-file", str(FILE))
        server.cli("deployment", "run", name, "--param", "scenario=failing-job")
        server.cli("worker", "start", "--pool", pool, "--run-once", seconds=300)
        with httpx.Client(base_url=server.url, trust_env=False) as api:
            seen = {run["name"]: run for run in post(api, "flow_runs/filter")}
            played, job = seen.pop("failing-job"), seen.popitem()[1]
            assert played["state_type"] == "COMPLETED", played["state"]
            assert played["state"]["message"].startswith("all promises held")
            assert (job["name"].startswith("job on i-"), job["state_type"]) == (True, "COMPLETED")
            ours = {"task_runs": {}, "flow_runs": {"id": {"any_": [job["id"]]}}}
            tasks = post(api, "task_runs/filter", ours)
            assert {task["task_key"].split("-")[0] for task in tasks} >= TASKS
            assert {task["state_type"] for task in tasks} == {"COMPLETED"}
            artifacts = {each["key"] for each in post(api, "artifacts/filter")}
            assert {"promises", "download", "boot-phases", "report"} <= artifacts


def post(api: httpx.Client, path: str, query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    answer = api.post(path, json=query or {})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
