"""The command line of the live test."""

import argparse
import os
from pathlib import Path

from agent.arguments import Parser
from deployments.live import github
from deployments.live.scenarios import SCENARIOS

DESCRIPTION = "A live test of the agent in a real account and a test repository; docs/live.md walks through it."
LOG_GROUP = "/runs-fleet/agent"
PREFIX = "/runs-fleet/runners"


def parser() -> argparse.ArgumentParser:
    """One subcommand a step; account and region have no default on purpose."""
    whole = Parser("live", description=DESCRIPTION)
    steps = whole.add_subparsers(required=True, metavar="STEP", dest="step")

    def step(name: str, does: str) -> argparse.ArgumentParser:
        return steps.add_parser(name, help=does, description=does, parents=[_common()])

    _wanted(step("check", "look whether all is there that a test needs"))
    steps.choices["check"].add_argument(
        "--bucket", required=True, help="where the agent's artefact is"
    )

    published = step("publish", "put the agent's artefact into the bucket")
    published.add_argument("--bucket", required=True)

    launched = step("launch", "launch one instance, write its runner config, dispatch the workflow")
    _wanted(launched)
    launched.add_argument("--no-dispatch", action="store_true", help="start the workflow yourself")
    launched.add_argument("--ref", default="main", help="branch whose workflow is dispatched")

    watched = _known(step("watch", "follow the instance until it is terminated"))
    watched.add_argument("--minutes", type=float, default=30.0, help="give up after so many")
    watched.add_argument(
        "--every", type=float, default=5.0, metavar="SECONDS", help="between two looks"
    )
    _known(step("interrupt", "end the instance from outside in mid job: SIGTERM for the agent"))
    _known(step("verify", "check C-8.1 to C-8.14 on what was seen"))
    down = _known(step("tear-down", "take away what the test made"))
    down.add_argument("--keep-logs", action="store_true", help="leave the log streams")
    _known(step("leftovers", "look for what is left; 24 h after the launch"))
    return whole


def _common() -> Parser:
    common = Parser(add_help=False)
    common.add_argument("--account", required=True, help="12 digits; no other is touched")
    common.add_argument("--region", required=True, help="such as eu-central-1")
    common.add_argument("--profile", help="AWS profile of the credentials; else as everywhere")
    common.add_argument("--dry-run", action="store_true", help="say the calls, make none but STS's")
    common.add_argument(
        "--records", type=Path, default=_records(), help="directory of the tests' records"
    )
    common.add_argument("--github-api-url", default=github.API, metavar="URL")
    return common


def _wanted(step: argparse.ArgumentParser) -> None:
    """What a test is to be."""
    step.add_argument("--id", required=True, help="a name for this test, once only: a-z, 0-9, -")
    step.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the test repository")
    step.add_argument("--scenario", choices=SCENARIOS, default="simple")
    step.add_argument("--launch-template", required=True, metavar="NAME")
    step.add_argument("--template-version", default="$Default", metavar="VERSION")
    step.add_argument("--instance-type", metavar="TYPE", help="else the template's")
    step.add_argument("--subnet", metavar="ID", help="else the default VPC's")
    step.add_argument("--spot", action="store_true", help="on the spot market")
    step.add_argument("--queue-url", default="", metavar="URL", help="the termination queue")
    step.add_argument(
        "--own-queue", action="store_true", help="nobody else reads the queue, so the test may"
    )
    step.add_argument("--log-group", default=LOG_GROUP, metavar="NAME")
    step.add_argument("--prefix", default=PREFIX, metavar="PATH", help="of the SSM parameters")


def _known(step: argparse.ArgumentParser) -> argparse.ArgumentParser:
    step.add_argument("--id", required=True, help="of the test")
    return step


def _records() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "runs-fleet-live"
