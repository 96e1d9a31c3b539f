"""A sample of the chaos runs; `make chaos` plays as many as asked for."""

from pathlib import Path

import pytest

from tests.faults.one import play_one
from tests.faults.seeded import plan

SEEDS = range(1, 26)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_the_instance_ends_as_promised(seed: int, tmp_path: Path) -> None:
    result = play_one(plan(seed), tmp_path)
    assert result.broken == [], f"{[str(fault) for fault in result.plan.faults]}\n{result.said}"


def test_a_seed_always_gives_the_same_plan() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)
