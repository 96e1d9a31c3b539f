"""Attacks run as the job's user; each attacker's tools are given as a file, because no job reads the tests' own folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.stages.conftest import machine, make_machine

__all__ = ["machine", "make_machine", "open_dir"]


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that every user may enter: pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="runs-fleet-attack-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
