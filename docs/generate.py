"""Writes the tables of the README and of `docs/` that come out of the code; `--check` only tells whether they are current."""

import argparse
import re
import sys
from pathlib import Path

from outcome_examples import examples

from agent.demo.scenarios import scenarios
from agent.outcome import EXPLAINED
from agent.settings import Settings
from agent.stages.metrics import METRICS
from deployments.cloudwatch.alarms import ALARMS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COMPUTED = {
    "RUNS_FLEET_INSTANCE_ID": "from IMDS",
    "AWS_REGION": "from IMDS",
    "RUNS_FLEET_CONFIG_BUCKET": "none: no cache",
    "RUNS_FLEET_TERMINATION_QUEUE_URL": "from the runner config",
    "RUNS_FLEET_RUNNER_USER": "`runner` as root, else own user",
    "RUNS_FLEET_JOB_MAX_PROCESSES": "half of the kernel's",
    "RUNS_FLEET_POWER_OFF_COMMAND": "none: never powered off",
    "PREFECT_API_URL": "none: ephemeral",
}


def settings_table() -> str:
    """One row a variable."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field in Settings.model_fields.values():
        name = str(field.alias)
        rows.append(f"| `{name}` | {_default(name, field.default)} | {field.description} |")
    return "\n".join(rows)


def outcomes_table() -> str:
    """One row a reason."""
    rows = ["| `reason` | `status` | exit | what it means | what to do |", "|---|---|---|---|---|"]
    rows += [
        f"| `{reason}` | `{each.status}` | {each.exit_status} | {each.meaning} | {each.what_to_do} |"
        for reason, each in EXPLAINED.items()
    ]
    return "\n".join(rows)


def examples_table() -> str:
    """One row a reason: what the agent says when a run ends so."""
    rows = ["| `reason` | what the agent said of one such run |", "|---|---|"]
    for reason, outcome in examples().items():
        said = outcome.detail.replace("|", r"\|") or "nothing: there is nothing to mend"
        rows.append(f"| `{reason}` | {said} |")
    return "\n".join(rows)


def scenarios_table() -> str:
    """One row a demo scenario."""
    rows = ["| scenario | what happens | how the run ends |", "|---|---|---|"]
    rows += [
        f"| `{name}` | {script.title} | `{script.reason}` |"
        for name, script in scenarios(Path("/")).items()
    ]
    return "\n".join(rows)


def metrics_table() -> str:
    """One row a metric."""
    rows = ["| metric | unit | of one job |", "|---|---|---|"]
    rows += [f"| `{name}` | {each.unit} | {each.meaning} |" for name, each in METRICS.items()]
    return "\n".join(rows)


def alarms_table() -> str:
    """One row an alarm."""
    rows = ["| alarm | rings | why, and what to do |", "|---|---|---|"]
    for alarm in ALARMS:
        hours = f"{alarm.periods} hours in a row" if alarm.periods > 1 else "an hour"
        over = f"{alarm.statistic} of `{alarm.metric}` over {alarm.above:g} in {hours}"
        rings = f"a run ended as `{alarm.reason}`" if alarm.reason else over
        rows.append(f"| `{alarm.name}` | {rings} | {alarm.why} |")
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """The text with each generated part made anew."""
    tables = {
        "settings": settings_table(),
        "outcomes": outcomes_table(),
        "examples": examples_table(),
        "scenarios": scenarios_table(),
        "metrics": metrics_table(),
        "alarms": alarms_table(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by make docs -->", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(f"{begin}\n{table}\n{end}".replace("\\", r"\\"), text)
    return text


def _default(name: str, value: object) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    wanted = {page: with_tables(page.read_text()) for page in PAGES}
    stale = [page for page, text in wanted.items() if page.read_text() != text]
    if given.check:
        return 1 if stale else 0
    for page in stale:
        page.write_text(wanted[page])
    return 0


if __name__ == "__main__":
    sys.exit(main())
