"""What `make ui` takes, without starting anything."""

from pathlib import Path

import pytest

from agent.demo.scenarios import scenarios
from deployments.ui.__main__ import SHOWN, TITLES, main


def test_a_scenario_that_there_is_not_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["job", "nonsense"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert "no scenario 'nonsense': choose of job, " in said
    assert all(name in said for name in TITLES)


def test_what_is_shown_ends_in_three_ways(tmp_path: Path) -> None:
    reasons = [str(scenarios(tmp_path)[name].reason) for name in SHOWN]
    assert reasons == ["job_served", "download_failed", "spot_notice"]
