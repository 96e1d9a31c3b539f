"""What a live test may be about: a workflow of the test repository, and how it must end."""

from dataclasses import dataclass
from pathlib import Path

from agent.outcome import EXPLAINED, Reason

WORKFLOWS = Path(__file__).parent / "workflows"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One workflow, run on one instance."""

    what: str
    reason: Reason
    """How the run must end."""
    shows: tuple[str, ...]
    """The items of the checklist that only this scenario shows."""
    green: bool = True
    """Whether GitHub must call the job a success."""
    by_hand: str = ""
    """What somebody has to do for it."""
    workflow: str = ""
    """The file's name; the scenario's own where it is empty."""

    @property
    def status(self) -> str:
        """The final message's."""
        return EXPLAINED[self.reason].status.value


SCENARIOS = {
    "simple": Scenario("one step says hello", Reason.JOB_SERVED, ("C-8.3",)),
    "complex": Scenario(
        "a checkout, a cache, a build, outputs, an artefact", Reason.JOB_SERVED, ("C-8.4",)
    ),
    "sigterm": Scenario(
        "the instance is told to stop in mid job",
        Reason.STOP_SIGNAL,
        ("C-8.9",),
        green=False,
        by_hand="`live interrupt` while the job runs",
        workflow="long.yml",
    ),
    "max-runtime": Scenario(
        "the job runs longer than it may",
        Reason.MAX_RUNTIME,
        ("C-8.10",),
        green=False,
        by_hand="a launch template with max_runtime_minutes = 1",
        workflow="long.yml",
    ),
    "disk-full": Scenario("the job fills the disk", Reason.DISK_FULL, ("C-8.11",), green=False),
    "crash": Scenario(
        "the agent's flow is killed in mid job, and the job goes on",
        Reason.JOB_SERVED,
        ("C-8.13",),
        by_hand="a launch template with docker_group = true",
    ),
}


def workflow_of(name: str) -> str:
    """The file's name in `workflows/` and in the test repository."""
    return SCENARIOS[name].workflow or f"{name}.yml"
