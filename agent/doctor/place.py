"""Where this is: the settings, and what IMDS says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.doctor.finding import Finding, failed, ok, skipped, warning
from agent.errors import SettingsError
from agent.instance.imds import Metadata
from agent.settings import Settings

ENVIRONMENT_FILE = Path("/etc/runs-fleet/agent.env")
"""What the systemd unit reads."""
_MEND_IMDS = "turn IMDSv2 on in the launch template"


@dataclass(frozen=True, slots=True)
class Place:
    """Which instance, in which region; None where nobody says."""

    instance_id: str | None
    region: str | None


def with_file(environment: Mapping[str, str], file: Path | None) -> dict[str, str]:
    """The environment over what a file as systemd's `EnvironmentFile=` says.

    Args:
        environment: this process's; what it sets already, wins.
        file: None for the unit's own, where it can be read.

    Raises:
        SettingsError: a file that was asked for cannot be read.
    """
    try:
        text = (file or ENVIRONMENT_FILE).read_text()
    except OSError as exc:
        if file is None:
            return dict(environment)
        raise SettingsError(
            f"--environment-file {file} cannot be read: {exc.strerror or exc}",
            mend="name a file that is there and that you may read",
        ) from exc
    pairs = (line.partition("=") for line in map(str.strip, text.splitlines()) if line[:1] not in "#;")  # fmt: skip
    return {name.strip(): _unquoted(value.strip()) for name, _, value in pairs} | dict(environment)


def check_settings(environment: Mapping[str, str]) -> tuple[Settings, Finding]:
    """The settings, as far as they can be used."""
    try:
        settings = Settings.from_environment(environment)
    except SettingsError as exc:
        return Settings.usable_part(environment), failed("settings", exc.what, mend=exc.mend)
    given = [name for name in environment if name.startswith("RUNS_FLEET_")]
    return settings, ok("settings", f"{len(given)} set, all can be used")


def check_place(settings: Settings, metadata: Metadata) -> tuple[Place, list[Finding]]:
    """Which instance this is: by the settings, else by IMDS."""
    told = metadata.instance_id(), metadata.region()
    place = Place(settings.instance_id or told[0], settings.region or told[1])
    return place, [_imds(told, place), _instance(place), _role(metadata, told)]


def _imds(told: tuple[str | None, str | None], place: Place) -> Finding:
    if all(told):
        return ok("IMDS", f"answers: {told[0]} in {told[1]}")
    if place.instance_id and place.region:
        return skipped("IMDS", "does not answer; id and region are set, so this is no instance")
    return failed("IMDS", "does not answer", mend=_MEND_IMDS)


def _instance(place: Place) -> Finding:
    missing = [
        variable
        for variable, value in (
            ("RUNS_FLEET_INSTANCE_ID", place.instance_id),
            ("AWS_REGION", place.region),
        )
        if value is None
    ]
    if missing:
        seen = "neither the settings nor IMDS say which instance and region this is"
        return failed("instance", seen, mend=f"set {' and '.join(missing)}, or {_MEND_IMDS}")
    return ok("instance", f"{place.instance_id} in {place.region}")


def _role(metadata: Metadata, told: tuple[str | None, str | None]) -> Finding:
    if not any(told):
        return skipped("instance role", "IMDS does not answer")
    role = metadata.get("meta-data/iam/security-credentials/")
    if not role:
        mend = "attach the instance profile in the launch template"
        return warning("instance role", "this instance has none", mend=mend)
    return ok("instance role", role.strip().splitlines()[0])


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
