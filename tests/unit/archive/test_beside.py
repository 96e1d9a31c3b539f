"""A large archive is written by a process of its own: the same tree, the same refusals, and nothing left running."""

import io
import os
import signal
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.archive.beside import FROM_BYTES, extract_beside
from agent.archive.handover import SLOT_BYTES, SLOTS
from agent.archive.unpack import unpack
from agent.clock import SystemClock
from agent.errors import ArchiveError, Interrupted, RunnerDirError
from agent.outcome import Reason
from tests.unit.archive.test_unpack import GOOD, cut, inside, member, tar

MORE_THAN_THE_RING = SLOTS + 4


def plain_tar(*names: str, size: int = 10) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(os.urandom(size)))
    return out.getvalue()


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + SLOT_BYTES] for at in range(0, len(data), SLOT_BYTES))


def nothing() -> None:
    """There is no reason to end."""


def extracted(source: Iterator[bytes], into: Path) -> int:
    return extract_beside(source, into, owner=None, most_members=100, check=nothing)


def extractors() -> list[psutil.Process]:
    """The processes that this one has made and that still run."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "agent.archive.extract" in child.cmdline()
    ]


def contents(tree: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(tree)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in tree.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_the_tree_is_the_one_that_this_process_would_have_made(tmp_path: Path) -> None:
    clock, stop = SystemClock(), threading.Event()
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    one = unpack(cut(GOOD), here, clock=clock, stop=stop)
    other = unpack(cut(GOOD), beside, clock=clock, stop=stop, size=FROM_BYTES)
    assert (other.sha256, other.members) == (one.sha256, one.members)
    assert contents(beside) == contents(here)
    assert (beside / "run.sh").stat().st_mode == (here / "run.sh").stat().st_mode


def test_more_than_the_shared_memory_holds_comes_through_in_order(tmp_path: Path) -> None:
    data = plain_tar("large", size=MORE_THAN_THE_RING * SLOT_BYTES + 7)
    assert extracted(pieces(data), tmp_path) == 1
    assert (tmp_path / "large").read_bytes() == data[
        512 : 512 + MORE_THAN_THE_RING * SLOT_BYTES + 7
    ]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_a_name_that_leads_outside_is_refused_in_the_same_words(tmp_path: Path, name: str) -> None:
    bad = tar((member(name), b"x"))
    with pytest.raises(ArchiveError, match="leads out of the runner directory"):
        unpack(
            cut(bad), inside(tmp_path), clock=SystemClock(), stop=threading.Event(), size=FROM_BYTES
        )
    assert not list(tmp_path.rglob("outside"))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="more than 100 files"):
        extracted(pieces(plain_tar(*map(str, range(101)))), tmp_path)


def test_a_disk_that_does_not_take_it_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match="File exists"):
        extracted(pieces(plain_tar("taken")), tmp_path)


def test_a_process_that_is_killed_is_said_so_and_not_waited_for(tmp_path: Path) -> None:
    def killing() -> Iterator[bytes]:
        data = plain_tar("large", size=MORE_THAN_THE_RING * SLOT_BYTES)
        yield data[:SLOT_BYTES]
        (extractor,) = extractors()
        extractor.send_signal(signal.SIGKILL)
        yield from pieces(data[SLOT_BYTES:])

    with pytest.raises(RunnerDirError, match=r"ended with status -9; look for the OOM killer"):
        extracted(killing(), tmp_path)


def test_what_the_source_raises_ends_the_process_too(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield plain_tar("one")[:512]
        raise ArchiveError("the archive is damaged", mend="none")

    with pytest.raises(ArchiveError, match="damaged"):
        extracted(breaking(), tmp_path)
    assert extractors() == []


def test_a_stop_is_seen_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    def stopped() -> Iterator[bytes]:
        (extractor,) = extractors()
        extractor.suspend()
        while True:
            yield bytes(SLOT_BYTES)

    def check() -> None:
        raise Interrupted(Reason.STOP_SIGNAL, "stopped")

    with pytest.raises(Interrupted):
        extract_beside(stopped(), tmp_path, owner=None, most_members=100, check=check)
    assert extractors() == []


def test_a_disk_that_never_takes_the_last_file_is_a_named_error(tmp_path: Path) -> None:
    def stalled() -> Iterator[bytes]:
        yield plain_tar("one")
        (extractor,) = extractors()
        extractor.suspend()

    with pytest.raises(RunnerDirError, match=r"did not end within 0\.3 s .* look at the volume"):
        extract_beside(
            stalled(), tmp_path, owner=None, most_members=100, check=nothing, end_seconds=0.3
        )
    assert extractors() == []


def test_nothing_is_imported_from_where_the_archive_is_written(tmp_path: Path) -> None:
    for name in ("tarfile", "traceback", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    assert extracted(pieces(plain_tar("one")), tmp_path) == 1
