"""Every scenario of the demo, with every promise of the contract checked from outside, and what the demo tells of it."""

import io
import json
from pathlib import Path

import pytest

from agent.demo import report
from agent.demo.live import LiveView, console_on
from agent.demo.scenarios import scenarios
from tests.integration.conftest import Played, Run

SEEN = "download-fails"
"""`make ui-check` plays it, and looks at the same promises."""
NAMES = tuple(name for name in scenarios(Path("/")) if name != SEEN)
DOCUMENTED = (Path(__file__).parents[2] / "docs/demo.md").read_text()
WIDTH = 80


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_ends_as_it_says_and_every_promise_holds(
    name: str, run: Run, tmp_path: Path
) -> None:
    played = run(scenarios(tmp_path)[name])
    played.assert_all_promises_held()
    if name == "sigterm":
        stopped_gracefully(played)
    seen = followed(name, played)
    assert_the_report_can_be_read(seen)
    assert_a_machine_gets_all_of_it(seen)


def followed(name: str, played: Played) -> report.Seen:
    """As the demo would have shown it where nobody watches: one line a step, a warning's sentence below it."""
    shown = io.StringIO()
    view = LiveView(console_on(shown, plain=True))
    view.watch(played.play)
    lines = shown.getvalue().splitlines()
    assert "\x1b" not in shown.getvalue()
    assert max(len(line) for line in lines) <= WIDTH
    assert len(lines) <= len(view.steps) + 3 * sum(step.warning for step in view.steps)
    return report.Seen(
        name, played.play, played.exit_status, 9.5, tuple(view.steps), tuple(played.promises)
    )


def assert_the_report_can_be_read(seen: report.Seen) -> None:
    shown = io.StringIO()
    report.show(seen, console_on(shown, plain=True))
    lines = shown.getvalue().splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert lines[-2:] == ["All promises held, 9.5 s in all.", report.NEXT]
    reason = seen.play.script.reason
    assert ("Why it ended" in shown.getvalue()) is (reason != "job_served")


def assert_a_machine_gets_all_of_it(seen: report.Seen) -> None:
    told = json.loads(report.as_json(seen))
    assert (told["ok"], told["reason"]) == (True, seen.play.script.reason)
    assert bool(told["mend"]) is (told["reason"] != "job_served")
    assert [key for key in told if f"`{key}`" not in DOCUMENTED] == []


def stopped_gracefully(played: Played) -> None:
    """GitHub has a finished job, not one that nobody ended."""
    assert [each["conclusion"] for each in played.play.cloud.github.conclusions] == ["failure"]
    assert played.final["interrupted_by"] == "stop_signal"
