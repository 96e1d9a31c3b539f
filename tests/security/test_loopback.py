"""Row 4: whatever of the agent listens while a job runs answers nobody but the agent."""

from pathlib import Path

import pytest

from .attack import attack, runs_as_nobody
from .attacker import ASKED

OPEN_IN_STOCK = {
    *("GET /", "GET /docs", "GET /openapi.json"),
    *("GET /api/health", "GET /api//health", "GET /api/ready"),
}
"""What Prefect's own command tells everybody: that it is well, and what its API looks like. Nothing of a run."""

pytestmark = runs_as_nobody


@pytest.mark.parametrize("stock", ["false", pytest.param("true", marks=pytest.mark.chaos)])
def test_a_job_that_finds_the_agents_port_gets_nothing_from_any_route_or_websocket(
    open_dir: Path, stock: str
) -> None:
    """Without the firewall, which refuses the port altogether: the string alone holds it."""
    ports = attack(open_dir, settings={"RUNS_FLEET_STOCK_PREFECT": stock}).said["ports"]
    assert len(ports) == 1, "the agent listens on one port"
    (answers,) = ports.values()
    assert answers.keys() == ASKED.keys()
    let_in = {
        asked: answer
        for asked, answer in answers.items()
        if " 401" not in answer and " 403" not in answer and answer != "101 then out"
    }
    assert set(let_in) <= (OPEN_IN_STOCK if stock == "true" else set()), let_in
