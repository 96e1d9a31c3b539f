"""A source of archives, and a client for it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.unit.archive.http_source import Source


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    with made.serving():
        yield made


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as made:
        yield made
