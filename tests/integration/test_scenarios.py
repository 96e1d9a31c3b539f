"""Every scenario of the demo, with every promise of the contract checked from outside."""

from pathlib import Path

import pytest

from agent.demo.scenarios import scenarios
from tests.integration.conftest import Played, Run

SEEN = "download-fails"
"""`make ui-check` plays it, and looks at the same promises."""
NAMES = tuple(name for name in scenarios(Path("/")) if name != SEEN)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_ends_as_it_says_and_every_promise_holds(
    name: str, run: Run, tmp_path: Path
) -> None:
    played = run(scenarios(tmp_path)[name])
    played.assert_all_promises_held()
    if name == "sigterm":
        stopped_gracefully(played)


def stopped_gracefully(played: Played) -> None:
    """GitHub has a finished job, not one that nobody ended."""
    assert [each["conclusion"] for each in played.play.cloud.github.conclusions] == ["failure"]
    assert played.final["interrupted_by"] == "stop_signal"
