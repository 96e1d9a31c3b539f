import re

import pytest

from agent import errors
from agent.errors import AgentError


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
