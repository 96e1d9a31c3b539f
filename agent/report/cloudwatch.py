"""Finds the runs of an instance, or the instances of a run, in CloudWatch Logs, and reads what the agent said there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from agent.aws_errors import translate
from agent.errors import AgentError, AwsError, SettingsError
from agent.report.evidence import Evidence, of_lines

INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
PAGES = 200
"""Of 50 streams each: so far back an instance is looked for, newest first. CloudWatch finds streams by their beginning only."""
RUNNER_LINES = 200
_PARTS = 3


class LogsClient(Protocol):
    """The calls used of boto3's `logs` client."""

    def describe_log_streams(self, **kwargs: Any) -> dict[str, Any]: ...
    def filter_log_events(self, **kwargs: Any) -> dict[str, Any]: ...
    def get_log_events(self, **kwargs: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Streams `{run}/{instance_id}/…` of a group."""

    run: str
    """A run id, or `boot`."""
    instance_id: str
    account_id: str
    """Whose group it is; empty where CloudWatch does not say."""


def evidence(client: LogsClient, group: str, wanted: str) -> tuple[Evidence, ...]:
    """One for each instance of the run, or for each run of the instance, oldest first.

    Args:
        client: of the region where they ran.
        group: the log group.
        wanted: a run id, or an instance id (`i-…`).

    Raises:
        AwsError: CloudWatch refused or could not be reached.
        SettingsError: there is no such stream.
    """
    logs = _Logs(client, group)
    by_instance = INSTANCE_ID.fullmatch(wanted) is not None
    places = _of_instance(logs, wanted) if by_instance else _of_run(logs, wanted)
    found = [each for place in places if (each := _read(logs, place)).facts]
    if found:
        return tuple(sorted(found, key=lambda each: each.facts[0].at))
    what = f"instance {wanted}" if by_instance else f"run {wanted}"
    if by_instance and logs.gave_up:
        what += f" among the {PAGES * 50:,} newest"
    mend = "check the id, RUNS_FLEET_LOG_GROUP and AWS_REGION"
    raise SettingsError(
        f"no stream of {what} in {group} in {logs.region}",
        mend=f"{mend}; or give the run id" if by_instance else mend,
    )


def _of_run(logs: "_Logs", run_id: str) -> tuple[Place, ...]:
    found = {place.instance_id: place for place in logs.places(logStreamNamePrefix=f"{run_id}/") if place.run == run_id}  # fmt: skip
    return tuple(found.values())


def _of_instance(logs: "_Logs", instance_id: str) -> tuple[Place, ...]:
    """The stream of its boot is found at once; of its run the name is needed, which the agent may have said there."""
    prefix = f"boot/{instance_id}/"
    boot = next((p for p in logs.places(logStreamNamePrefix=prefix) if p.instance_id == instance_id), None)  # fmt: skip
    if boot is not None:
        said = logs.said(f"{prefix}agent")
        if any(" instance.terminate " in line for line in said):
            return (boot,)
        named = (re.search(r" config\.fetched run_id=([^ \"]+) ", line) for line in said)
        if run := next((found[1] for found in named if found), None):
            return (Place(run, instance_id, boot.account_id),)
    newest = logs.places(pages=PAGES, orderBy="LastEventTime", descending=True)
    run_place = next((p for p in newest if p.instance_id == instance_id and p.run != "boot"), boot)
    return () if run_place is None else (run_place,)


def _read(logs: "_Logs", place: Place) -> Evidence:
    own, boot = f"{place.run}/{place.instance_id}", f"boot/{place.instance_id}"
    said = logs.said(f"{boot}/agent")
    if own != boot:
        said = sorted([*said, *logs.said(f"{own}/agent")], key=lambda line: line[:24])
    whose = f", account {place.account_id}" if place.account_id else ""
    return of_lines(
        said,
        source=f"CloudWatch, log group {logs.group} in {logs.region}{whose}",
        log_group=logs.group,
        account_id=place.account_id,
        runner=logs.end_of(f"{own}/runner"),
    )


class _Logs:
    """One log group."""

    def __init__(self, client: LogsClient, group: str) -> None:
        self._client = client
        self.group = group
        self.region = str(getattr(getattr(client, "meta", None), "region_name", "?"))
        self.gave_up = False

    def places(self, *, pages: int | None = None, **query: Any) -> Iterator[Place]:
        """Of every stream that is named as the agent names them."""
        query = {"logGroupName": self.group, **query}
        for page in self._pages("DescribeLogStreams", self._client.describe_log_streams, query, pages):  # fmt: skip
            for stream in page.get("logStreams", []):
                named = str(stream["logStreamName"]).split("/")
                account = str(stream.get("arn", "")).split(":")[4:5]
                if len(named) == _PARTS:
                    yield Place(named[0], named[1], account[0] if account else "")

    def said(self, stream: str) -> list[str]:
        """All lines of the stream, by time; empty where there is none."""
        query = {"logGroupName": self.group, "logStreamNamePrefix": stream}
        found = [
            event
            for page in self._pages("FilterLogEvents", self._client.filter_log_events, query, None)
            for event in page.get("events", [])
            if event["logStreamName"] == stream
        ]
        return [event["message"] for event in sorted(found, key=lambda event: event["timestamp"])]

    def end_of(self, stream: str) -> list[str]:
        """The stream's last lines; empty where it cannot be had: the story does not stand on them."""
        query = {
            "logGroupName": self.group,
            "logStreamName": stream,
            "limit": RUNNER_LINES,
            "startFromHead": False,
        }
        try:
            page = self._asked("GetLogEvents", self._client.get_log_events, query)
        except AgentError:
            return []
        return [event["message"] for event in page.get("events", [])]

    def _pages(
        self,
        name: str,
        call: Callable[..., dict[str, Any]],
        query: dict[str, Any],
        most: int | None,
    ) -> Iterator[dict[str, Any]]:
        count = 0
        while True:
            page = self._asked(name, call, query)
            yield page
            count += 1
            if not page.get("nextToken"):
                return
            if count == most:
                self.gave_up = True
                return
            query = {**query, "nextToken": page["nextToken"]}

    def _asked(
        self, name: str, call: Callable[..., dict[str, Any]], query: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            return call(**query)
        except (ClientError, BotoCoreError) as exc:
            error: AwsError = translate(exc, call=f"logs:{name}", resource=self.group)
            raise error from exc
