import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_tables_of_the_readme_are_what_the_code_says() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run `make docs`"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", README)) - {"lists"}
    assert named <= targets


def test_every_command_that_the_readme_names_has_a_help() -> None:
    commands = set(re.findall(r"`runs-fleet-agent ([a-z]+)`", README))
    assert {"run", "demo", "end", "status"} <= commands
    for command in commands:
        program = [sys.executable, "-m", "agent", command, "--help"]
        assert subprocess.run(program, capture_output=True, check=False, cwd=ROOT).returncode == 0


def test_every_folder_that_the_readme_names_exists() -> None:
    table = README.partition("## Where things are")[2].partition("## Working")[0]
    folders = re.findall(r"`((?:agent|flows|tasks|tests|docs)/[a-z/]*)`", table)
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)
