"""The flow for developers: the agent takes a stand-in of an instance through a job, and its own flow run `run_job` shows beside this one.

`deployments/prefect.yaml` deploys it. An instance never runs it.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.settings import get_current_settings
from prefect.states import Completed, Failed
from pydantic import Field

from agent.demo.play import Play, Script
from agent.demo.promises import Promise, look
from agent.demo.scenarios import scenarios

NAMES = tuple(scenarios(Path("/")))
ScenarioName = Annotated[str, Field(json_schema_extra={"enum": list(NAMES)})]
"""The page that starts a run offers them as a list."""
ARTIFACT = "promises"


@flow(name="play_scenario", flow_run_name="{scenario}", persist_result=False)
def play_scenario(scenario: ScenarioName = "job") -> State[Any]:
    """Plays one scenario of `runs-fleet-agent demo`; completed when every promise was seen to hold.

    The agent is the real one, with its guardian; AWS, GitHub and the runner are stand-ins on loopback.
    """
    with tempfile.TemporaryDirectory(prefix="runs-fleet-play-") as folder:
        script = scenarios(Path(folder))[scenario]
        return _verdict(*_played(script, Path(folder)))


def _played(script: Script, folder: Path) -> tuple[str, list[Promise]]:
    """The instance's id, and what was seen."""
    log = get_run_logger()
    reporting = replace(script, settings={**script.settings, **_report_here()})
    with Play(reporting, folder) as play:
        log.info(
            "%s: its flow run is `job on %s`, on this server", script.title, play.cloud.instance_id
        )
        play.start()
        for lines in play.follow():
            for line in lines:
                log.info(line)
        return play.cloud.instance_id, look(play, play.finish())


def _report_here() -> dict[str, str]:
    """The agent's flow reports to the server that this flow reports to, where it is one for all; its lines go there too."""
    url = get_current_settings().api.url
    reporting = {"PREFECT_LOGGING_TO_API_ENABLED": "true"}
    return {} if url is None else {"PREFECT_API_URL": url, **reporting}


def _verdict(instance_id: str, promises: list[Promise]) -> State[Any]:
    create_table_artifact(
        key=ARTIFACT,
        table=[{"promise": p.what, "held": p.held, "seen": p.seen} for p in promises],
        description=f"What was seen from outside of `job on {instance_id}`",
    )
    broken = [promise.what for promise in promises if not promise.held]
    if broken:
        return Failed(message=f"broken: {'; '.join(broken)}")
    return Completed(message=f"all promises held; see the flow run `job on {instance_id}`")
