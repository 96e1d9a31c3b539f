from pathlib import Path

from agent.doctor.finding import Verdict
from agent.doctor.units import WANTED, check_units

ROOT = Path(__file__).parents[3]


def folder(path: Path, *names: str, text: str = "[Unit]\n") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_text(text)
    return path


def test_the_units_that_are_looked_for_are_those_that_are_shipped() -> None:
    shipped = {path.name for path in (ROOT / "deployments/systemd").glob("runs-fleet*")}
    assert set(WANTED) == shipped


def test_the_wheel_carries_every_unit() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in WANTED:
        assert f'"deployments/systemd/{name}" = "agent/units/{name}"' in text


def test_units_that_are_installed_as_shipped_are_well(tmp_path: Path) -> None:
    etc, shipped = folder(tmp_path / "etc", *WANTED), folder(tmp_path / "agent", *WANTED)
    assert check_units(must_be_there=True, places=(etc,), shipped=shipped).verdict is Verdict.OK


def test_a_laptop_does_without_and_an_image_does_not(tmp_path: Path) -> None:
    empty = folder(tmp_path / "etc")
    assert check_units(must_be_there=False, places=(empty,)).verdict is Verdict.SKIPPED
    assert check_units(must_be_there=True, places=(empty,)).verdict is Verdict.FAILED


def test_a_single_missing_unit_is_named_with_its_mend(tmp_path: Path) -> None:
    etc = folder(tmp_path / "etc", *WANTED[1:])
    found = check_units(must_be_there=False, places=(etc,))
    assert (found.verdict, found.seen) == (Verdict.FAILED, f"not installed: {WANTED[0]}")
    assert "install.sh" in found.mend


def test_units_of_another_version_are_a_warning(tmp_path: Path) -> None:
    etc = folder(tmp_path / "etc", *WANTED)
    shipped = folder(tmp_path / "agent", WANTED[0], text="[Unit]\nDescription=newer\n")
    found = check_units(must_be_there=True, places=(etc,), shipped=shipped)
    assert found.verdict is Verdict.WARNING
    assert WANTED[0] in found.seen
