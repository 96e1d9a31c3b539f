import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_generated_tables_are_what_the_code_says() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run `make docs`"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert named <= targets


def test_every_command_that_the_readme_names_has_a_help() -> None:
    commands = set(re.findall(r"`runs-fleet-agent ([a-z]+)`", README))
    assert {"run", "demo", "end", "status", "logs"} <= commands
    for command in commands:
        program = [sys.executable, "-m", "agent", command, "--help"]
        assert subprocess.run(program, capture_output=True, check=False, cwd=ROOT).returncode == 0


def test_every_folder_that_the_readme_names_exists() -> None:
    table = README.partition("## Where things are")[2].partition("## Working")[0]
    folders = re.findall(r"`((?:agent|flows|tasks|tests|docs|benchmarks)/[a-z/]*)`", table)
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)


OUTCOMES = (ROOT / "docs/outcomes.md").read_text()
ERRORS = OUTCOMES.partition("The ten commonest errors")[2]


def test_every_error_line_that_the_docs_quote_is_one_that_the_code_says() -> None:
    source = "".join(path.read_text() for path in (ROOT / "agent").rglob("*.py"))
    source += (ROOT / "agent/localcloud/runner/tree/config.sh").read_text()
    quoted = re.findall(r"^\| `([^|]+)` .*?\|", ERRORS, re.MULTILINE)
    assert len(quoted) == 10
    for line in quoted:
        fixed = max(
            re.split(
                r"…|'x'|120|'runner'|for another|AccessDeniedException|ssm:GetParameter on |RUNS_FLEET_GRACE_SECONDS=",
                line,
            ),
            key=len,
        )
        assert fixed.strip(" :=,") in source, fixed


IDS = [
    f"C-{chapter}.{number}"
    for chapter, count in enumerate((8, 8, 8, 7, 4, 1, 3, 14, 6), start=1)
    for number in range(1, count + 1)
]


def test_the_checklist_has_a_row_for_every_item_and_names_only_what_exists() -> None:
    text = (ROOT / "docs/checklist.md").read_text()
    assert re.findall(r"^\| (C-\d+\.\d+) \|", text, re.MULTILINE) == IDS
    for path in re.findall(r"`(tests/[a-z_/]+\.py)", text):
        assert (ROOT / path).is_file(), path
    names = set(re.findall(r"SCENARIO=([a-z-]+)", text))
    assert names <= set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE))
