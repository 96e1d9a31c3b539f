"""What is known of one live test, in a file: a terminated instance is gone from EC2 after an hour, and its messages with their reader."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from deployments.live.account import Refused
from deployments.live.github import Job

TAG = "runs-fleet:live"
"""Of the instance, its volumes and interfaces; its value is the test's id."""
MODE = 0o600


@dataclass(frozen=True, slots=True)
class Record:
    """One test. Holds no secret."""

    test_id: str
    account: str
    region: str
    repo: str
    scenario: str
    prefix: str
    log_group: str
    launched_at: str
    """RFC 3339, UTC."""
    queue_url: str = ""
    own_queue: bool = False
    """Nobody else reads the queue: the test may."""
    instance_id: str = ""
    """Empty while it is not known: the launch was not answered, or failed."""
    states: tuple[tuple[str, str], ...] = ()
    """When which state of the instance was seen first."""
    state_reason: str = ""
    """EC2's code for why the instance ended."""
    runner_status: str = ""
    """What GitHub said of the registered runner, such as `online`; empty where it was never seen."""
    messages: tuple[dict[str, Any], ...] = ()
    """Of this instance, in the order of receipt."""
    job: Job | None = None
    looked_again_at: str = ""
    """When `leftovers` looked last."""
    left: int | None = None
    """How much it found then."""

    @property
    def run_id(self) -> str:
        """Takes the place of GitHub's in the names of the log streams."""
        return f"live-{self.test_id}"

    @property
    def runner(self) -> str:
        """The runner's name, and the label that only this test's workflow asks for."""
        return f"runs-fleet-live-{self.test_id}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of what the agent reads out of SSM; none while the instance is not known."""
        if not self.instance_id:
            return ()
        folder = f"{self.prefix}/{self.instance_id}"
        return (f"{folder}/config", f"{folder}/credential")


class Records:
    """A directory with one file a test."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet."""
        self._folder = folder

    def save(self, record: Record) -> None:
        """Whole, or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(record.test_id)
        being_written = path.with_suffix(".new")
        being_written.write_text(json.dumps(asdict(record), indent=2) + "\n", "utf-8")
        being_written.chmod(MODE)
        being_written.replace(path)

    def has(self, test_id: str) -> bool:
        """Whether a test of this id was launched from here."""
        return self._path(test_id).exists()

    def load(self, test_id: str) -> Record:
        """The test of this id.

        Raises:
            Refused: none was launched from here.
        """
        path = self._path(test_id)
        if not path.exists():
            raise Refused(f"{path} is not there; launch a test with --id {test_id} first")
        return _from_json(json.loads(path.read_text("utf-8")))

    def _path(self, test_id: str) -> Path:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", test_id):
            raise Refused(f"--id is {test_id!r}; give up to 32 of a-z, 0-9 and -")
        return self._folder / f"{test_id}.json"


def _from_json(told: dict[str, Any]) -> Record:
    known = {field.name for field in fields(Record)}
    told = {name: value for name, value in told.items() if name in known}
    states = tuple((at, state) for at, state in told.pop("states", ()))
    messages = tuple(told.pop("messages", ()))
    job = told.pop("job", None)
    return Record(**told, states=states, messages=messages, job=Job(**job) if job else None)
