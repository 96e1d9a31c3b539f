import ast
import re
from pathlib import Path

import pytest

from agent import errors
from agent.errors import AgentError

ROOT = Path(__file__).parents[2]


def subclasses(kind: type[AgentError]) -> list[type[AgentError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in subclasses(child))]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"\b([A-Z]\w+?)(?:  |$)", errors.__doc__ or "", re.MULTILINE)
    real = [kind.__name__ for kind in subclasses(AgentError) if kind.__module__ == errors.__name__]
    assert sorted(set(drawn) & set(real)) == sorted(real)


@pytest.mark.parametrize("kind", [AgentError, errors.AwsError, errors.DownloadError])
def test_an_error_is_one_line_with_its_mend(kind: type[AgentError]) -> None:
    error = kind("disk\nis  full", mend="make\troom")
    assert str(error) == "disk is full; make room"


def test_a_transient_aws_error_is_an_outage_and_another_a_refusal() -> None:
    assert errors.AwsError("x", mend="y", transient=True).reason == "aws_unavailable"
    assert errors.AwsError("x", mend="y").reason == "aws_refused"


NAMES = {kind.__name__ for kind in subclasses(AgentError)} - {"Interrupted"}
SOURCES = sorted(path for top in ("agent", "tasks", "flows") for path in (ROOT / top).rglob("*.py"))


def made(path: Path) -> list[ast.Call]:
    """Where an error of ours is made."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [c for c in calls if isinstance(c.func, ast.Name) and c.func.id in NAMES]


def constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_every_error_is_made_with_a_mend_that_tells_a_person_what_to_do() -> None:
    count = 0
    for path in SOURCES:
        for call in made(path):
            count += 1
            where = f"{path.relative_to(ROOT)}:{call.lineno}"
            mend = next((k.value for k in call.keywords if k.arg == "mend"), None)
            assert mend is not None, where
            words = constant(mend)
            assert words is None or (len(words.split()) > 1 and not words.endswith(".")), where
    assert count > 50
