"""`python -m tests.security.mutants`: takes out one defence at a time, in a copy of the tree, and expects its tests to fail."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.security.mutants.mutant import ROOT, Mutant, mutants

LEFT_OUT = (".git", ".venv*", ".checkov", "*_cache", ".hypothesis", "__pycache__", "node_modules", ".terraform", ".archives", "dist")  # fmt: skip
SECONDS = 600
GREEN, RED = 0, 1
"""pytest's exit statuses: all passed; some failed (https://docs.pytest.org/en/stable/reference/exit-codes.html)."""


def main(arguments: Sequence[str]) -> int:
    """0 when every mutant was killed, 1 when one survived or could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.mutants", description=__doc__)
    parser.add_argument("--row", type=int, action="append", help="only this row of docs/security.md; may be repeated")  # fmt: skip
    parser.add_argument("--only", default="", help="only mutants with these words in their name")
    given = parser.parse_args(arguments)
    chosen = [m for m in mutants() if (not given.row or m.row in given.row) and given.only in m.name]  # fmt: skip
    if not chosen:
        parser.error("no mutant is called so")
    with tempfile.TemporaryDirectory(prefix="runs-fleet-mutants-") as folder:
        Path(folder).chmod(0o755)
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        broken = unfit(chosen, tree)
        verdicts = [(mutant, verdict(mutant, tree, broken)) for mutant in chosen]
    killed = sum(word == "killed" for _, word in verdicts)
    print(f"{killed} of {len(verdicts)} mutants killed")
    return 0 if killed == len(verdicts) else 1


def unfit(chosen: Iterable[Mutant], tree: Path) -> set[str]:
    """The tests that do not pass while every defence is there: they can show nothing."""
    every = sorted({test for mutant in chosen for test in mutant.tests})
    print(f"{len(every)} tests without a mutant", flush=True)
    if run(every, tree) == GREEN:
        return set()
    return {test for test in every if run([test], tree) != GREEN}


def verdict(mutant: Mutant, tree: Path, broken: set[str]) -> str:
    if broken & set(mutant.tests):
        word = "untried: its tests do not pass without it"
    elif mutant.occurrences(tree) != 1:
        word = f"untried: its text occurs {mutant.occurrences(tree)} times"
    else:
        before = (tree / mutant.file).read_text()
        mutant.apply(tree)
        status = run(mutant.tests, tree)
        (tree / mutant.file).write_text(before)
        word = {GREEN: "SURVIVED", RED: "killed"}.get(status, f"untried: pytest ended with {status}")  # fmt: skip
    print(f"row {mutant.row}  {word:<9} {mutant.name}", flush=True)
    return word


def run(tests: Iterable[str], tree: Path) -> int:
    """pytest's exit status; a test that was skipped shows nothing, so it counts as none."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired:
        return RED
    if done.returncode == GREEN and " skipped" in done.stdout.splitlines()[-1]:
        print(done.stdout.splitlines()[-1], flush=True)
        return -1
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
