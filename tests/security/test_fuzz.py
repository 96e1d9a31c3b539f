"""Row 8: archives and JSON from outside. The corpus is played whole, then hypothesis makes more of it; both within seconds."""

import base64
import gzip
import io
import json
import tarfile
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.archive.limits import Limits
from agent.archive.unpack import unpack
from agent.clock import SystemClock
from agent.errors import ArchiveError, ConfigError
from agent.logs.job_masks import MAX_VALUES, JobMasks
from agent.parameters.runner_config import parse
from tests.security.fuzz import CORPUS, GOOD, TARGETS

MOST_SECONDS = 5.0
"""For one input, on a machine that is busy."""
INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
NESTED = 200_000
LARGEST_SEED = 1 << 14


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_of_the_corpus_is_taken_or_refused_in_one_line(path: Path) -> None:
    began = time.process_time()
    TARGETS[path.parent.name](path.read_bytes())
    assert time.process_time() - began < MOST_SECONDS


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["flip", "insert", "cut", "double"]),
        st.binary(min_size=1, max_size=8),
    ),
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    for where, how, piece in edits:
        at = int(where * len(data))
        if how == "flip":
            data = data[:at] + piece + data[at + len(piece) :]
        elif how == "insert":
            data = data[:at] + piece + data[at:]
        elif how == "cut":
            data = data[:at] + data[at + len(piece) * 64 :]
        elif len(data) < 1 << 18:
            data = data[:at] + data[at:] * 2
    return data


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_like_the_corpus_is_taken_or_refused_in_one_line(
    name: str, data: st.DataObject
) -> None:
    seeds = [
        path for path in INPUTS if path.parent.name == name and path.stat().st_size < LARGEST_SEED
    ]
    seed = data.draw(st.sampled_from(seeds)).read_bytes()
    TARGETS[name](edited(seed, data.draw(EDITS)))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=2000))
def test_anything_at_all_is_taken_or_refused_in_one_line(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", ["config", "credential", "release", "imds", "journal"])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_of_any_depth_is_refused(name: str, opening: str) -> None:
    TARGETS[name]((opening * NESTED).encode()[:60_000])
    TARGETS[name]((opening * 5_000 + "]" * 5_000).encode())


@pytest.mark.parametrize(("plain_bytes", "why"), [(40 << 20, "1 MiB"), (64 << 20, "characters")])
def test_a_compressed_bomb_in_the_credential_is_refused(plain_bytes: int, why: str) -> None:
    packed = gzip.compress(bytes(plain_bytes), compresslevel=9)
    text = json.dumps({"jit_config": base64.b64encode(packed).decode(), "compressed": True})
    with pytest.raises(ConfigError, match=why):
        parse(GOOD, text, where="/x/config")


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(unpacked_bytes=1 << 20), "unpacks to more"),
        (Limits(ratio_from_bytes=1 << 20), "that is no runner"),
    ],
)
def test_a_gzip_that_unpacks_to_too_much_is_refused_by_its_size_or_its_ratio(
    tmp_path: Path, limits: Limits, why: str
) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 8 << 20
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    bomb = gzip.compress(plain.getvalue())
    with pytest.raises(ArchiveError, match=why):
        unpack(iter([bomb]), tmp_path, clock=SystemClock(), limits=limits, stop=threading.Event())


def test_a_job_that_has_everything_masked_is_masked_up_to_a_limit() -> None:
    masks = JobMasks()
    masks.learn("\n".join(f"::add-mask::value-{number:05}" for number in range(MAX_VALUES + 500)))
    assert masks.mask("value-00000") == "***"
    assert masks.mask(f"value-{MAX_VALUES + 400:05}") != "***"


def test_values_that_end_at_every_character_of_a_text_do_not_fill_the_memory() -> None:
    masks = JobMasks()
    masks.learn("\n".join(f"::add-mask::{'a' * length}" for length in range(6, 400)))
    tracemalloc.start()
    assert masks.mask("a" * 400_000).replace("***", "") in {"", "a" * 4}
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 20_000_000
