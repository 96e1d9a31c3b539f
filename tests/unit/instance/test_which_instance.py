"""Which instance this is: as set, else as IMDS says, else one clear line."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.errors import SettingsError
from agent.localcloud.faults import BlackHole
from agent.localcloud.imds import Imds
from agent.settings import Settings
from agent.stages.context import RunContext, open_run

GIVEN = {"RUNS_FLEET_INSTANCE_ID": "i-0fedcba9876543210", "AWS_REGION": "us-east-2"}


class Hurried(SystemClock):
    """Does not wait between two questions."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return super().wait(event, 0)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., RunContext]]:
    """Opens a run whose IMDS is at an address."""
    runs: list[RunContext] = []

    def make(imds_url: str, attempts: str = "1", **settings: str) -> RunContext:
        environment = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds_url,
            "RUNS_FLEET_STATE_DIR": str(tmp_path / "state"),
            "RUNS_FLEET_RUNNER_DIR": str(tmp_path / "actions-runner"),
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS": attempts,
            **settings,
        }
        run = open_run(environment, Settings.from_environment(environment), clock=Hurried())
        runs.append(run)
        return runs[-1]

    yield make
    for run in runs:
        run.metadata.close()


def test_id_and_region_come_from_imds(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    run = opened(here)
    assert (run.instance_id, run.region) == ("i-0123456789abcdef0", "eu-central-1")


def test_an_imds_that_is_late_is_asked_again(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    imds.faults.fail("imds", "api/token", times=2, status=503, code="booting")
    assert opened(here, attempts="3").instance_id == "i-0123456789abcdef0"


def test_an_id_that_is_set_wins_over_imds(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    run = opened(here, RUNS_FLEET_INSTANCE_ID=GIVEN["RUNS_FLEET_INSTANCE_ID"])
    assert (run.instance_id, run.region) == (GIVEN["RUNS_FLEET_INSTANCE_ID"], "eu-central-1")
    assert "meta-data/instance-id" not in [call.operation for call in imds.calls]


def test_a_region_that_is_set_wins_over_imds(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    run = opened(here, AWS_REGION="us-east-2")
    assert (run.instance_id, run.region) == ("i-0123456789abcdef0", "us-east-2")


def test_with_both_set_imds_is_not_asked(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    run = opened(here, **GIVEN)
    assert (run.instance_id, run.region) == tuple(GIVEN.values())
    assert imds.calls == []


def test_with_both_set_an_imds_that_says_nothing_does_not_matter(
    opened: Callable[..., RunContext],
) -> None:
    with BlackHole() as hole:
        assert opened(hole.url, **GIVEN).instance_id == GIVEN["RUNS_FLEET_INSTANCE_ID"]


def test_an_instance_that_nobody_names_is_one_line_with_its_mend(
    opened: Callable[..., RunContext], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="which instance this is") as caught:
        opened("http://127.0.0.1:9")
    assert "RUNS_FLEET_INSTANCE_ID" in caught.value.mend
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "state").exists()


def test_a_region_that_nobody_names_is_one_line_with_its_mend(
    imds: Imds, here: str, opened: Callable[..., RunContext]
) -> None:
    imds.faults.fail("imds", "meta-data/placement/region", status=404, code="Not Found")
    with pytest.raises(SettingsError, match="not known which AWS region") as caught:
        opened(here)
    assert "AWS_REGION" in caught.value.mend
    assert "\n" not in str(caught.value)
