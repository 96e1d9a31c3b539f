from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes_shipper import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.client.open.set()
    for shipper in bench.shippers:
        shipper.stop()
    assert not bench.threads()
