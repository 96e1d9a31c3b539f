from pathlib import Path

import pytest

from agent.doctor.finding import Verdict
from agent.doctor.place import check_place, check_settings, with_file
from agent.errors import SettingsError
from agent.instance.imds import Metadata
from agent.localcloud.faults import BlackHole
from agent.settings import Settings


def test_the_unit_s_environment_file_is_read_beside_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "agent.env"
    file.write_text(
        '# comment\n\nAWS_REGION=eu-central-1\nRUNS_FLEET_LOG_GROUP="/a b"\nRUNS_FLEET_RUNNER_USER=x\n'
    )
    whole = with_file({"RUNS_FLEET_RUNNER_USER": "own"}, file)
    assert whole == {
        "AWS_REGION": "eu-central-1",
        "RUNS_FLEET_LOG_GROUP": "/a b",
        "RUNS_FLEET_RUNNER_USER": "own",
    }


def test_a_file_that_was_asked_for_and_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.env cannot be read"):
        with_file({}, tmp_path / "none.env")


def test_a_setting_that_cannot_be_used_is_named_and_the_rest_is_still_looked_at() -> None:
    settings, found = check_settings(
        {"RUNS_FLEET_GRACE_SECONDS": "soon", "RUNS_FLEET_RUNNER_DIR": "/srv/runner"}
    )
    assert found.verdict is Verdict.FAILED
    assert "RUNS_FLEET_GRACE_SECONDS='soon'" in found.seen
    assert settings.runner_dir == Path("/srv/runner")


def test_without_imds_the_settings_say_which_instance_this_is() -> None:
    given = {"RUNS_FLEET_INSTANCE_ID": "i-0123456789abcdef0", "AWS_REGION": "eu-central-1"}
    with BlackHole() as nobody:
        metadata = Metadata(nobody.url, timeout_seconds=0.2)
        place, found = check_place(Settings.from_environment(given), metadata)
    assert (place.instance_id, place.region) == ("i-0123456789abcdef0", "eu-central-1")
    assert [each.verdict for each in found] == [Verdict.SKIPPED, Verdict.OK, Verdict.SKIPPED]


def test_without_either_what_is_missing_is_named_with_its_mend() -> None:
    with BlackHole() as nobody:
        metadata = Metadata(nobody.url, timeout_seconds=0.2)
        place, found = check_place(Settings.from_environment({}), metadata)
    assert place.instance_id is None
    imds, instance, _ = found
    assert (imds.verdict, instance.verdict) == (Verdict.FAILED, Verdict.FAILED)
    assert "IMDSv2" in imds.mend
    assert "RUNS_FLEET_INSTANCE_ID and AWS_REGION" in instance.mend
