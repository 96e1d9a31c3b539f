"""`runs-fleet-agent report`: what a run did, why it ended and what to do, from this machine or from CloudWatch."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, NoRegionError

from agent.aws import Clients
from agent.clock import rfc3339_millis
from agent.errors import AgentError, SettingsError
from agent.instance.imds import Metadata
from agent.report.cloudwatch import evidence
from agent.report.evidence import of_machine
from agent.report.html import page
from agent.report.markdown import markdown
from agent.report.story import Story
from agent.report.tell import tell
from agent.settings import Settings

STDOUT = "-"


def report(
    environment: Mapping[str, str],
    wanted: str | None,
    *,
    html: str | None,
    as_json: bool,
    state_dir: Path,
) -> int:
    """Prints Markdown, a page or JSON to stdout, or writes the page; 0, or 1 with a line on stderr where there is nothing to tell.

    Args:
        environment: region and log group are read from it, as everywhere.
        wanted: a run id or an instance id, looked for in CloudWatch; None for the run that this machine's journal knows.
        html: the file that the page is written to; `-` for stdout, None for Markdown.
        as_json: one JSON object a story instead.
        state_dir: this machine's.
    """
    try:
        stories = _from_cloudwatch(environment, wanted) if wanted else (_of_machine(state_dir),)
        _write(stories, html=html, as_json=as_json)
    except (AgentError, BotoCoreError) as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return 1
    return 0


def as_object(story: Story) -> str:
    """One JSON object; times are RFC 3339 with milliseconds, what is not known is empty or null."""
    return json.dumps(asdict(story), indent=2, default=_moment)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339_millis(value)
    raise TypeError(type(value).__name__)


def _of_machine(state_dir: Path) -> Story:
    journal = state_dir / "journal.jsonl"
    try:
        journal.open("rb").close()
    except FileNotFoundError:
        story = None
    except OSError as exc:
        raise SettingsError(
            f"{journal} cannot be read: {exc.strerror}", mend="ask as the agent's own user"
        ) from exc
    else:
        story = tell(of_machine(state_dir))
    if story is None:
        raise SettingsError(
            f"no run is known on this machine ({journal})",
            mend="say which: `runs-fleet-agent report RUN_ID`, or an instance's id",
        )
    return story


def _from_cloudwatch(environment: Mapping[str, str], wanted: str) -> tuple[Story, ...]:
    settings = Settings.from_environment(environment)
    if not settings.log_group:
        raise SettingsError("RUNS_FLEET_LOG_GROUP is empty", mend="name the log group")
    client = _client(environment, settings.region)
    found = evidence(client, settings.log_group, wanted)
    stories = tuple(story for each in found if (story := tell(each)) is not None)
    if not stories:
        raise SettingsError(
            f"the agent stream of {wanted} in {settings.log_group} does not say that a run began",
            mend="its beginning may be older than the log group keeps; read what is left with `runs-fleet-agent logs`",
        )
    return stories


def _client(environment: Mapping[str, str], region: str | None) -> Any:
    """Of the region that is set, or of the instance that this runs on."""
    try:
        return Clients(region).get("logs")
    except NoRegionError:
        here = Metadata(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")).region()
        if here is None:
            raise SettingsError(
                "it is not known in which AWS region to look", mend="set AWS_REGION"
            ) from None
        return Clients(here).get("logs")


def _write(stories: Sequence[Story], *, html: str | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write("".join(f"{as_object(story)}\n" for story in stories))
    elif html is None:
        sys.stdout.write("\n".join(markdown(story) for story in stories))
    elif html == STDOUT:
        sys.stdout.write(page(stories))
    else:
        try:
            Path(html).write_text(page(stories), encoding="utf-8")
        except OSError as exc:
            raise SettingsError(
                f"{html} cannot be written: {exc.strerror}", mend="name another file after --html"
            ) from exc
