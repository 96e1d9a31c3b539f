"""Every command that a page tells a reader to type: which test types it, or why none can."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/*.md", "deployments/**/*.md", "terraform/**/*.md", "benchmarks/*.md")
PAGES = [page for pattern in PATTERNS for page in sorted(ROOT.glob(pattern))]
TYPED = {
    r"make (?:lint|test|tools)": (".ci/run", "make lint"),
    r"make demo(?: SCENARIO=[a-z-]+)?": ("tests/integration/test_make_demo.py", '"demo"'),
    r"make docs": ("tests/unit/test_docs.py", "docs/generate.py"),
    r"make artefact": ("tests/deployments/artefact/test_whole_artefact.py", "deployments.artefact"),
    r"runs-fleet-agent logs.*": ("tests/unit/test_read_logs.py", '"logs"'),
    r"runs-fleet-agent report.*": ("tests/integration/test_report.py", '"report"'),
    r"deployments/live/live .*": ("tests/deployments/dev/test_live_page.py", "live.options"),
    r"deployments/cloudwatch/put .*": ("tests/deployments/cloudwatch/test_put.py", "cloudwatch/put"),
    r"export TF_VAR_.*": ("tests/deployments/terraform/test_live_example.py", "export TF_VAR_"),
    r"terraform -chdir=.*/live .*": ("tests/deployments/terraform/test_live_example.py", '"plan"'),
    r"terraform (?:init|apply|destroy).*": ("tests/deployments/terraform/test_whole_life.py", "destroy"),
}  # fmt: skip
"""A pattern of commands: the file that runs them, and what it says where it does."""
SLOW = {
    "make chaos", "make security-mutants", "make bench-boot", "make bench-logs", "make audit", "make fuzz",
    "make terraform-check", "make artefact-check", "make deployment-check", "make boot-artefact", "make ui-check",
    "make ui", "make diagram", "make lock",
}  # fmt: skip
"""Checks and tools of their own, outside `make test`: here only what they would do is looked at."""
ELSEWHERE = {
    r"packer (?:init|build) .*": "builds in an AWS account; packer validate is run by test_packer.py",
    r"cd deployments/image": "",
    r"docker compose .*": "wants an engine; test_docker.py checks the file",
}


def typed_on(page: Path) -> Iterator[str]:
    """The lines of its shell blocks, without comments, variables and files that are written."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
        commands = re.sub(r"^cat >.*?^EOF\n", "", block, flags=re.DOTALL | re.MULTILINE)
        for line in commands.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+#.*", "", line).strip()
            if command and not re.match(r"\w+=", command):
                yield command


def named_on(page: Path) -> set[str]:
    return set(re.findall(r"`(make [a-z-]+)[ `]", page.read_text()))


COMMANDS = sorted({c for page in PAGES for c in typed_on(page)} | {c for page in PAGES for c in named_on(page)})  # fmt: skip


def test_the_pages_are_found() -> None:
    assert {"make demo", "make test", "make chaos"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_page_is_typed_by_a_test_or_says_why_not(command: str) -> None:
    if command in SLOW or any(re.fullmatch(pattern, command) for pattern in ELSEWHERE):
        return
    shown = [where for pattern, where in TYPED.items() if re.fullmatch(pattern, command)]
    assert shown, "add it to TYPED with the test that runs it"
    path, words = shown[0]
    assert words in (ROOT / path).read_text()


@pytest.mark.parametrize("command", sorted(SLOW))
def test_a_slow_target_is_one_that_make_knows(command: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *command.split()[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
