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


def test_the_table_of_folders_names_every_room_and_nothing_that_is_not_there() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("## Where things are")[2]
    named = set(re.findall(r"^\| `([a-z/]+)/` \|", table, re.MULTILINE))
    assert all((ROOT / folder).is_dir() for folder in named)
    rooms = {f"agent/{path.parent.name}" for path in ROOT.glob("agent/*/__init__.py")}
    assert rooms <= named


def test_every_link_on_a_page_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")):
        for target, _, anchor in (link.partition("#") for link in links(page)):
            aim = (page.parent / target).resolve() if target else page
            assert aim.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(aim), f"{page.name}: {target}#{anchor}"


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


OUTCOMES = (ROOT / "docs/outcomes.md").read_text()
ERRORS = README.partition("The ten commonest errors")[2].partition("## ")[0]


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


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) < 250
