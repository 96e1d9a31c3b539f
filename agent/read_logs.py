"""`runs-fleet-agent logs`: a run's streams from CloudWatch, merged by time, for a person."""

import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from botocore.exceptions import BotoCoreError, ClientError

from agent.aws import Clients
from agent.aws_errors import in_words, translate
from agent.clock import Clock, SystemClock
from agent.errors import AgentError, SettingsError
from agent.journal.journal import read
from agent.journal.progress import Progress
from agent.settings import Settings

POLL_SECONDS = 2.0
LATE_MS = 30_000
"""CloudWatch shows what came in a little later; so far back it is asked for again."""
OVER = " instance.terminate "
"""The agent's last line of a run."""


class LogsClient(Protocol):
    """The call used of boto3's `logs` client."""

    def filter_log_events(self, **kwargs: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Said:
    """One event."""

    identity: str
    at_ms: int
    stream: str
    text: str

    @property
    def ends_the_run(self) -> bool:
        return self.stream.endswith("/agent") and OVER in self.text

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at_ms / 1000, UTC)
        time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
        return f"{time} {self.stream.rpartition('/')[2]:6} | {self.text}"


def logs(environment: Mapping[str, str], run_id: str | None, *, follow: bool, journal: Path) -> int:
    """Prints to stdout; 0, or 1 with a line on stderr where there is nothing to show.

    Args:
        environment: region and log group are read from it, as everywhere.
        run_id: GitHub's, or `boot`; None for the run that this machine's journal knows.
        follow: go on until the run is over or the reader has had enough (Ctrl-C).
        journal: this machine's.
    """
    try:
        settings = Settings.from_environment(environment)
        run_id = run_id or _run_id_of(journal)
        if not settings.log_group:
            raise SettingsError(
                "RUNS_FLEET_LOG_GROUP is empty, so nothing was shipped",
                mend="name the log group there, such as /runs-fleet/agent",
            )
        client = Clients(settings.region).get("logs")
        found = Reader(client, settings.log_group, run_id, clock=SystemClock())
        shown = show(found.follow() if follow else found.so_far(), sys.stdout)
    except KeyboardInterrupt:
        return 0
    except BotoCoreError as exc:
        sys.stderr.write(f"runs-fleet-agent: {in_words(exc)}\n")
        return 1
    except AgentError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return 1
    if not shown:
        where = f"{settings.log_group} in {client.meta.region_name}"
        sys.stderr.write(
            f"runs-fleet-agent: no stream of run {run_id} in {where}; check run id, RUNS_FLEET_LOG_GROUP and AWS_REGION\n"
        )
    return 0 if shown else 1


def show(events: Iterator[Said], to: TextIO) -> int:
    """Writes each event as a line, at once; returns how many."""
    count = 0
    for each in events:
        to.write(f"{each}\n")
        to.flush()
        count += 1
    return count


class Reader:
    """The events of one run."""

    def __init__(self, client: LogsClient, group: str, run_id: str, *, clock: Clock) -> None:
        """Asks nothing yet."""
        self._client = client
        self._group = group
        self._prefix = f"{run_id}/"
        self._clock = clock
        self._shown: dict[str, int] = {}

    def so_far(self) -> Iterator[Said]:
        """What is there now, by time.

        Raises:
            AwsError: CloudWatch refused or could not be reached.
        """
        yield from sorted(self._read(0), key=lambda each: each.at_ms)

    def follow(self) -> Iterator[Said]:
        """What is there and what comes, until the run is over. Raises as `so_far` does."""
        newest, never = 0, threading.Event()
        while True:
            new = sorted(self._read(max(0, newest - LATE_MS)), key=lambda each: each.at_ms)
            yield from new
            if any(each.ends_the_run for each in new):
                return
            newest = max([newest, *(each.at_ms for each in new)])
            self._forget(newest - 2 * LATE_MS)
            self._clock.wait(never, POLL_SECONDS)

    def _read(self, since_ms: int) -> Iterator[Said]:
        query: dict[str, Any] = {
            "logGroupName": self._group,
            "logStreamNamePrefix": self._prefix,
            "startTime": since_ms,
        }
        while True:
            page = self._page(query)
            for event in page.get("events", []):
                identity = event["eventId"]
                of_the_run = event["logStreamName"].startswith(self._prefix)  # stand-ins give all
                if of_the_run and identity not in self._shown:
                    self._shown[identity] = event["timestamp"]
                    yield Said(identity, event["timestamp"], event["logStreamName"], event["message"])  # fmt: skip
            if "nextToken" not in page:
                return
            query["nextToken"] = page["nextToken"]

    def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._client.filter_log_events(**query)
        except (ClientError, BotoCoreError) as exc:
            raise translate(exc, call="logs:FilterLogEvents", resource=self._group) from exc

    def _forget(self, before_ms: int) -> None:
        self._shown = {name: at for name, at in self._shown.items() if at >= before_ms}


def _run_id_of(journal: Path) -> str:
    config = Progress.of(read(journal)).config
    if config is None:
        raise SettingsError(
            f"no run is known on this machine ({journal})",
            mend="say which run: `runs-fleet-agent logs RUN_ID`, GitHub's run id or `boot`",
        )
    return config.run_id
