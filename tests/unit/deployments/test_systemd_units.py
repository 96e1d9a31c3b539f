"""The units that are shipped, by systemd's own tools and against the settings' defaults."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.guardian.child import KILL_SECONDS
from agent.guardian.limits import Limits
from agent.settings import Settings

UNITS = Path(__file__).parents[3] / "deployments/systemd"
AGENT, DEAD_MAN = "runs-fleet-agent.service", "runs-fleet-dead-man"
PROGRAM = "/opt/runs-fleet/bin/runs-fleet-agent"
WORST_EXPOSURE = 9.6
"""A CI job may need anything; what `docs/security.md` can take from it lowers this."""

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine"
)


class Unit(configparser.RawConfigParser):
    """A unit file in which no name is given twice in a section."""

    def __init__(self, name: str) -> None:
        super().__init__(delimiters=("=",), comment_prefixes=("#", ";"), strict=True)
        self.read_string((UNITS / name).read_text())

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def seconds(span: str) -> float:
    done = subprocess.run(
        ["systemd-analyze", "timespan", span], check=True, capture_output=True, text=True
    )
    (line,) = (line for line in done.stdout.splitlines() if "μs:" in line)
    return int(line.split()[-1]) / 1_000_000


@pytest.fixture
def installed(tmp_path: Path) -> list[str]:
    """Copies whose program exists, as `verify` asks for it."""
    for unit in UNITS.glob("runs-fleet*"):
        text = unit.read_text()
        (tmp_path / unit.name).write_text(text.replace(PROGRAM, "/bin/true"))
    return sorted(str(path) for path in tmp_path.glob("runs-fleet*"))


@analyze
def test_systemd_finds_nothing_to_complain_about(installed: list[str]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *installed], check=False, capture_output=True, text=True
    )
    assert len(installed) == 4
    assert (done.stderr, done.returncode) == ("", 0)


@analyze
def test_the_agent_is_not_more_exposed_than_it_was(installed: list[str]) -> None:
    (agent,) = (path for path in installed if path.endswith(AGENT))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={WORST_EXPOSURE * 10:.0f}", agent],
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@analyze
def test_the_dead_man_fires_15_minutes_after_the_longest_life() -> None:
    settings = Settings()
    minutes = settings.standby_deadline_minutes + settings.max_runtime_minutes + 15
    assert seconds(Unit(f"{DEAD_MAN}.timer")["Timer"]["OnBootSec"]) == minutes * 60


@analyze
def test_the_dead_man_leaves_time_for_every_life_that_the_guardian_allows() -> None:
    limits = Limits.of({})
    assert seconds(Unit(f"{DEAD_MAN}.timer")["Timer"]["OnBootSec"]) > limits.flow + limits.end


@analyze
def test_a_stop_is_given_all_the_time_that_the_agent_allows_itself() -> None:
    limits = Limits.of({})
    stop = seconds(Unit(AGENT)["Service"]["TimeoutStopSec"])
    assert stop > limits.stop + limits.end + KILL_SECONDS


@analyze
def test_the_watchdog_waits_longer_than_the_guardian_is_ever_silent() -> None:
    limits = Limits.of({})
    watchdog = seconds(Unit(AGENT)["Service"]["WatchdogSec"])
    assert watchdog > 2 * (limits.pause + KILL_SECONDS)


def test_whatever_becomes_of_the_agent_end_is_called_and_then_the_machine_is_powered_off() -> None:
    unit = Unit(AGENT)
    assert unit["Service"]["ExecStart"] == f"{PROGRAM} run"
    assert unit["Service"]["ExecStopPost"] == f"{PROGRAM} end"
    assert unit["Unit"]["FailureAction"] == "poweroff-force"
    assert "RUNS_FLEET_POWER_OFF_COMMAND" in unit["Service"]["Environment"]


def test_the_stop_signal_reaches_the_agent_alone() -> None:
    assert Unit(AGENT)["Service"]["KillMode"] == "mixed"


def test_a_job_without_memory_does_not_take_the_agent_with_it() -> None:
    service = Unit(AGENT)["Service"]
    assert service["OOMPolicy"] == "continue"
    assert int(service["OOMScoreAdjust"]) < -500


def test_the_state_is_private_and_where_the_settings_have_it() -> None:
    service = Unit(AGENT)["Service"]
    assert Path("/var/lib") / service["StateDirectory"] == Settings().state_dir
    assert service["StateDirectoryMode"] == "0700"


def test_the_dead_man_powers_off_even_when_no_process_can_be_started() -> None:
    unit = Unit(f"{DEAD_MAN}.service")
    assert unit["Unit"]["SuccessAction"] == unit["Unit"]["FailureAction"] == "poweroff-force"
    assert unit["Unit"]["DefaultDependencies"] == "no"
