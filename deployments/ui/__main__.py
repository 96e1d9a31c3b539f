"""`python -m deployments.ui [SCENARIO ...]`: plays them against a Prefect server, and leaves its pages open until Ctrl-C."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from agent.demo.scenarios import scenarios
from deployments.ui.server import NotUp, PrefectServer

SHOWN = ("job", "download-fails", "spot-notice")
"""Served; failed, after tries that can be seen; interrupted."""
TITLES = {name: script.title for name, script in scenarios(Path("/")).items()}
API_SECONDS = 30.0
_CALM = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR"}
"""The pages show what would be said here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A flow run as the server has it."""

    flow: str
    state: str
    url: str


def main(arguments: Sequence[str]) -> int:
    """0 when every scenario that was played showed what it promises."""
    given = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    held = True
    try:
        with (
            TemporaryDirectory(prefix="runs-fleet-ui-", ignore_cleanup_errors=True) as folder,
            PrefectServer(Path(folder)) as server,
        ):
            print(f"Prefect's pages: {server.ui_url}/runs", flush=True)
            for name in given.scenarios or SHOWN:
                held = play(server, name) and held
            print("\nopen until Ctrl-C", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("\nended, with all that was started")
    except NotUp as exc:
        sys.stderr.write(f"make ui: {exc}\n")
        return 1
    return 0 if held else 1


def play(server: PrefectServer, name: str) -> bool:
    """Plays one scenario and names the pages of its runs; false when a promise of it was not seen to hold."""
    print(f"\n{name}: {TITLES[name]}", flush=True)
    # Prefect reads them while it is imported.
    os.environ.update({**server.environment, **_CALM})
    from flows.play_scenario import play_scenario

    state = play_scenario(name, return_state=True)
    for flow in ("run_job", "play_scenario"):
        seen = newest(server, flow)
        print(f"  {seen.flow:<13}  {seen.state:<9}  {seen.url}", flush=True)
    if not state.is_completed():
        print(f"  {state.message}")
    return bool(state.is_completed())


def newest(server: PrefectServer, flow: str) -> Seen:
    """The flow's run that began last."""
    wanted = {"sort": "START_TIME_DESC", "limit": 1, "flows": {"name": {"any_": [flow]}}}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=API_SECONDS) as api:
        answer = api.post("flow_runs/filter", json=wanted)
        answer.raise_for_status()
        (run,) = answer.json()
    return Seen(flow, run["state_name"], f"{server.ui_url}/runs/flow-run/{run['id']}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", type=_known, metavar="SCENARIO", help=", ".join(TITLES)
    )
    return parser


def _known(name: str) -> str:
    if name not in TITLES:
        raise argparse.ArgumentTypeError(f"no scenario {name!r}: choose of {', '.join(TITLES)}")
    return name


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
