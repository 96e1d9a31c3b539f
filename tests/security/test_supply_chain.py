"""Row 9: what is installed is pinned by its hash, and no call of ours goes through a shell, without a limit, or past a certificate."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SOURCES = sorted(path for folder in ("agent", "flows", "tasks") for path in (ROOT / folder).rglob("*.py"))  # fmt: skip
TIMED = {
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "urllib.request.urlopen",
    "httpx.Client",
    "httpx.AsyncClient",
    "HTTPConnection",
    "HTTPSConnection",
    "socket.create_connection",
}
NEVER = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "ssl._create_unverified_context",
    "pickle.load",
    "pickle.loads",
    "yaml.load",
    "eval",
    "exec",
    "httpx.get",
    "httpx.post",
    "httpx.stream",
    "tempfile.mktemp",
}
WAITED_FOR = {
    "agent/archive/beside.py": "killed by its context manager",
    "agent/demo/play.py": "killed at the end of the play",
    "agent/guardian/child.py": "within the guardian's limits",
    "agent/localcloud/runner/programs/worker.py": "the stand-in's own steps, which the agent stops",
    "agent/localcloud/runner/programs/listener.py": "the stand-in's own worker, which the agent stops",
    "agent/runner/start.py": "the runner: within the watchers' limits",
    "flows/api/process.py": "ended by the flow, its group by the guardian",
}
"""Where a process is started that goes on beside ours, and what bounds its life."""


def requirements(lock: Path) -> list[str]:
    return re.sub(r"\\\n", " ", lock.read_text()).splitlines()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(lock: Path) -> None:
    lines = [line for line in requirements(lock) if line.strip() and not line.lstrip().startswith("#")]  # fmt: skip
    assert lines
    loose = [
        line for line in lines if not re.match(r"\S+==\S+.* --hash=sha256:[0-9a-f]{64}( |$)", line)
    ]
    assert loose == []
    assert not re.search(r"(?i)://|--(extra-)?index|--find-links|--trusted", lock.read_text())


def test_every_list_of_wishes_has_a_lock() -> None:
    wishes = {path.stem for path in (ROOT / "requirements").glob("*.in")}
    assert wishes == {lock.stem for lock in LOCKS}


def test_whatever_is_installed_is_installed_by_its_hashes() -> None:
    for path in (ROOT / "Makefile", *(ROOT / "deployments").rglob("*")):
        if path.is_file():
            for line in path.read_text(errors="replace").splitlines():
                if re.search(r"pip3? install|pip install", line) and " -r " in line:
                    assert "--require-hashes" in line, f"{path}: {line}"


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def unsafe(path: Path) -> list[str]:
    """What a reviewer would not let through."""
    found = []
    for name, call in calls(path):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        where = f"{path.name}:{call.lineno} {name}"
        if name in NEVER:
            found.append(f"{where} is never used")
        if name in TIMED and given.get("timeout", "None") == "None":
            found.append(f"{where} has no timeout")
        if name == "httpx.Timeout" and None in call.args:
            found.append(f"{where} is none")
        if name.startswith(("subprocess.", "asyncio.")) and given.get("shell", "False") != "False":
            found.append(f"{where} goes through a shell")
        if given.get("verify") in {"False", "ssl.CERT_NONE"}:
            found.append(f"{where} takes any certificate")
        if name.startswith("subprocess.") and call.args and isinstance(call.args[0], ast.Constant):
            found.append(f"{where} has a command that is no list")
    if re.search(r"\bCERT_NONE\b|check_hostname = False", path.read_text()):
        found.append(f"{path.name} turns the check of certificates off")
    return found


def test_no_call_goes_through_a_shell_without_a_limit_or_past_a_certificate() -> None:
    assert SOURCES
    assert [trouble for path in SOURCES for trouble in unsafe(path)] == []


def test_every_process_that_goes_on_beside_ours_has_an_end_that_is_known() -> None:
    starts = {"subprocess.Popen", "Popen", "os.fork", "os.posix_spawn"}
    beside = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if starts & {name for name, _ in calls(path)}
    }
    assert beside == set(WAITED_FOR)


PLANTED = """import subprocess
import tempfile
from pathlib import Path

import httpx

subprocess.run("ls " + str(Path.cwd()), shell=True, check=True, timeout=5)
httpx.get("https://example.org", verify=False, timeout=5)
httpx.get("https://example.org", timeout=None)
eval("1")
tempfile.mktemp()
subprocess.run(["ls"], check=True)
"""


def test_ruff_finds_what_is_planted() -> None:
    """The linter is a part of the defence only as long as nobody turns its rules off."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--stdin-filename", "agent/planted.py", "-"]  # fmt: skip
    found = subprocess.run(
        command, cwd=ROOT, input=PLANTED, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 1
    assert set(re.findall(r"\bS\d+\b", found.stdout)) >= {"S602", "S501", "S113", "S307", "S306"}


def test_the_reviewer_finds_what_is_planted(tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(PLANTED)
    found = " ".join(unsafe(path))
    for word in ("a shell", "any certificate", "no timeout", "never used"):
        assert word in found


def test_an_audit_that_could_not_ask_is_red() -> None:
    """`--strict`: a package that the database does not know must not pass for one without a flaw."""
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n\n")[0]
    assert "pip-audit --strict" in recipe
    for lock in ("run", "dev"):
        assert f"-r requirements/{lock}.txt" in recipe
    assert "--require-hashes -r requirements/audit.txt" in recipe
