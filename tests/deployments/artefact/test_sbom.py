import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deployments.artefact.sbom import Wheel, as_json, bill
from deployments.artefact.targets import Target
from tests.deployments.artefact.conftest import Built, write_wheel


def wheel_with(folder: Path, metadata: str, version: str = "1.0") -> Wheel:
    return Wheel.read(write_wheel(folder, version, metadata=metadata))


@pytest.fixture
def found(small: Built, tmp_path: Path, some_targets: list[Target]) -> dict[str, Any]:
    other = wheel_with(tmp_path, "License: MIT\n", "2.0+x")
    own = Wheel.read(next(small.path.parent.glob("*.whl")))
    return bill(small.path, [other], some_targets, own=own)


def test_it_is_valid_cyclonedx(found: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(as_json(found)) is None


def test_it_names_the_digest_of_the_artefact_and_of_each_wheel(
    found: dict[str, Any], small: Built
) -> None:
    wheel = next(small.path.parent.glob("*.whl"))
    assert found["metadata"]["component"]["hashes"][0]["content"] == small.sha256
    expected = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found["components"][0]["hashes"][0]["content"] == expected


def test_its_serial_number_follows_from_the_artefact_and_no_date_is_in_it(
    found: dict[str, Any], small: Built, tmp_path: Path, some_targets: list[Target]
) -> None:
    own = Wheel.read(next(small.path.parent.glob("*.whl")))
    again = bill(small.path, [], some_targets, own=own)
    assert again["serialNumber"] == found["serialNumber"]
    other = tmp_path / small.path.name
    other.write_bytes(b"another")
    assert bill(other, [], some_targets, own=own)["serialNumber"] != found["serialNumber"]
    assert "timestamp" not in json.dumps(found)


def test_every_component_can_be_found_by_its_package_url(found: dict[str, Any]) -> None:
    purls = [component["purl"] for component in found["components"]]
    assert (
        "pkg:pypi/runs-fleet-agent@2.0%2Bx?file_name=runs_fleet_agent-2.0%2Bx-py3-none-any.whl"
        in purls
    )
    assert any(purl.startswith("pkg:pypi/pex@") for purl in purls)


@pytest.mark.parametrize(
    ("metadata", "licences"),
    [
        ("License-Expression: MIT AND BSD-3-Clause\n", [{"expression": "MIT AND BSD-3-Clause"}]),
        ("License: Apache License 2.0\n", [{"license": {"id": "Apache-2.0"}}]),
        ("License: Dual License\n", [{"license": {"name": "Dual License"}}]),
        (
            f"License: {'words ' * 50}\nClassifier: License :: OSI Approved :: MIT License\n",
            [{"license": {"id": "MIT"}}],
        ),
        ("", []),
    ],
)
def test_a_licence_is_named_as_the_package_has_it(
    metadata: str, licences: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert wheel_with(tmp_path, metadata).licences() == licences


def test_what_a_wheel_needs_depends_on_the_targets(tmp_path: Path) -> None:
    wheel = wheel_with(
        tmp_path,
        "Requires-Dist: Every_Where\n"
        "Requires-Dist: old; python_full_version < '3.11.3'\n"
        "Requires-Dist: windows; sys_platform == 'win32'\n"
        "Requires-Dist: extra; extra == 'demo'\n",
    )
    assert wheel.needs([Target("x86_64", "3.11.0")]) == {"every-where", "old"}
    assert wheel.needs([Target("x86_64", "3.12.0")]) == {"every-where"}
