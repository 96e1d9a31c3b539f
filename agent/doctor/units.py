"""The systemd units: installed, and those that came with this agent."""

from pathlib import Path

from agent.doctor.finding import Finding, failed, ok, skipped, warning

NAME = "systemd units"
SHIPPED = Path(__file__).parents[1] / "units"
"""In a wheel; a source tree has them elsewhere."""
WANTED = (
    "runs-fleet-agent.service",
    "runs-fleet-dead-man.service",
    "runs-fleet-dead-man.timer",
    "runs-fleet.slice",
)
PLACES = (Path("/etc/systemd/system"), Path("/usr/local/lib/systemd/system"), Path("/usr/lib/systemd/system"))  # fmt: skip
_MEND = "install them with install.sh, which takes them from the artefact"


def check_units(
    *, must_be_there: bool, places: tuple[Path, ...] = PLACES, shipped: Path = SHIPPED
) -> Finding:
    """Whether systemd would start the agent at boot and the dead-man timer beside it.

    Args:
        must_be_there: in an image they are; a laptop does without.
        places: where systemd looks, first come first served.
        shipped: those of this agent, to compare with.
    """
    found = {name: _find(name, places) for name in WANTED}
    missing = [name for name, path in found.items() if path is None]
    if len(missing) == len(WANTED) and not must_be_there:
        return skipped(NAME, "none is installed: something else starts the agent")
    if missing:
        return failed(NAME, f"not installed: {', '.join(missing)}", mend=_MEND)
    changed = [
        name
        for name, path in found.items()
        if path
        and (shipped / name).is_file()
        and (shipped / name).read_bytes() != path.read_bytes()
    ]
    if changed:
        seen = f"other than those of this agent: {', '.join(changed)}"
        return warning(NAME, seen, mend=f"{_MEND}; keep changes in drop-ins (`systemctl edit`)")
    return ok(NAME, "installed")


def _find(name: str, places: tuple[Path, ...]) -> Path | None:
    return next((place / name for place in places if (place / name).is_file()), None)
