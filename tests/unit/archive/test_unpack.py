import contextlib
import errno
import gzip
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.archive.limits import Limits
from agent.archive.unpack import Unpacked, unpack
from agent.clock import SystemClock
from agent.errors import ArchiveError, DownloadError, Interrupted, RunnerDirError


def member(name: str, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def cut(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def unpacked(data: bytes, into: Path, **more: object) -> Unpacked:
    options = {"clock": SystemClock(), "stop": threading.Event(), **more}
    return unpack(cut(data), into, **options)  # type: ignore[arg-type]


def inside(tmp_path: Path) -> Path:
    tree = tmp_path / "outer" / "tree"
    tree.mkdir(parents=True)
    return tree


GOOD = tar(
    (member("./", type=tarfile.DIRTYPE, mode=0o755, uid=1001), b""),
    (member("./run.sh", mode=0o755, uid=1001), b"#!/bin/bash\n"),
    (member("./bin/" + "x" * 150, mode=0o4755), b"long name"),
    (member("./lib/npm.js", mode=0o644), b"js"),
    (member("./bin/npm", type=tarfile.SYMTYPE, linkname="../lib/npm.js"), b""),
    (member("./bin/hard", type=tarfile.LNKTYPE, linkname="./run.sh"), b""),
    (member("./big", mode=0o600), os.urandom(3_000_000)),
)


def test_one_pass_hashes_and_unpacks(tmp_path: Path) -> None:
    tree = inside(tmp_path)
    got = unpacked(GOOD, tree)
    assert got.sha256 == hashlib.sha256(GOOD).hexdigest()
    assert (got.archive_bytes, got.members) == (len(GOOD), 7)
    assert (tree / "run.sh").read_bytes() == b"#!/bin/bash\n"
    assert (tree / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert (tree / ("bin/" + "x" * 150)).stat().st_mode & 0o7777 == 0o755
    assert (tree / "bin/npm").read_bytes() == b"js"
    assert (tree / "bin/hard").samefile(tree / "run.sh")
    assert (tree / "run.sh").stat().st_uid == os.geteuid()


def test_the_compressed_bytes_are_kept_for_the_cache(tmp_path: Path) -> None:
    keep = tmp_path / "kept.tar.gz"
    unpacked(GOOD, inside(tmp_path), keep=keep)
    assert keep.read_bytes() == GOOD


def test_bytes_after_the_archive_belong_to_the_digest(tmp_path: Path) -> None:
    data = GOOD + b"trailing"
    assert unpacked(data, inside(tmp_path)).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("bad", "content"),
    [
        (member("../evil"), b"x"),
        (member("a/../../evil"), b"x"),
        (member("/evil"), b"x"),
        (member("evil", type=tarfile.SYMTYPE, linkname="../../evil"), b""),
        (member("evil", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
        (member("evil", type=tarfile.LNKTYPE, linkname="../../../etc/passwd"), b""),
        (member("evil", type=tarfile.SYMTYPE, linkname=".."), b""),
        (member("evil", type=tarfile.SYMTYPE, linkname=""), b""),
        (member("evil", type=tarfile.SYMTYPE, linkname="a/../b"), b""),
        (member("evil", type=tarfile.SYMTYPE, linkname="x" * 5000), b""),
        (member("evil", type=tarfile.LNKTYPE, linkname="never-seen"), b""),
        (member("evil", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
        (member("evil", type=tarfile.FIFOTYPE), b""),
        (member("evil" + "x" * 300), b"x"),
        (member("evil/" + "a/" * 1500 + "deep"), b"x"),
    ],
    ids=lambda v: f"{v.type!r} {v.name} {v.linkname}" if isinstance(v, tarfile.TarInfo) else "",
)
def test_a_member_that_leaves_the_tree_or_cannot_be_is_refused(
    tmp_path: Path, bad: tarfile.TarInfo, content: bytes
) -> None:
    tree = inside(tmp_path)
    with pytest.raises(ArchiveError, match="evil"):
        unpacked(tar((bad, content)), tree)
    assert [path.name for path in tmp_path.rglob("*")] == ["outer", "tree"]


def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    tree = inside(tmp_path)
    (tree / "real").mkdir()
    data = tar(
        (member("link", type=tarfile.SYMTYPE, linkname="real"), b""), (member("link/file"), b"x")
    )
    with pytest.raises(ArchiveError, match="through a link"):
        unpacked(data, tree)
    assert list((tree / "real").iterdir()) == []


def test_a_hard_link_to_a_link_is_refused(tmp_path: Path) -> None:
    data = tar(
        (member("file"), b"x"),
        (member("link", type=tarfile.SYMTYPE, linkname="file"), b""),
        (member("evil", type=tarfile.LNKTYPE, linkname="link"), b""),
    )
    with pytest.raises(ArchiveError, match="evil"):
        unpacked(data, inside(tmp_path))


def test_a_file_of_holes_that_never_came_over_the_wire_is_refused(tmp_path: Path) -> None:
    block = bytearray(member("holes").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"%011o " % (4 << 30)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    tree = inside(tmp_path)
    with pytest.raises(ArchiveError, match="holes"):
        unpacked(gzip.compress(bytes(block) + bytes(1024)), tree)
    assert list(tree.iterdir()) == []


def test_a_file_in_the_place_of_a_link_replaces_it(tmp_path: Path) -> None:
    tree = inside(tmp_path)
    data = tar(
        (member("target"), b"old"),
        (member("name", type=tarfile.SYMTYPE, linkname="target"), b""),
        (member("name"), b"new"),
    )
    unpacked(data, tree)
    assert (tree / "target").read_bytes() == b"old"
    assert (tree / "name").read_bytes() == b"new"


@pytest.mark.parametrize(
    "data",
    [
        b"Not Found",
        b"",
        gzip.compress(b"no tar, but long enough to be read as a header" * 100),
        GOOD[: len(GOOD) // 2],
        GOOD[:-4],
        GOOD[:1000] + b"!!!!" + GOOD[1004:],
    ],
    ids=["not gzip", "empty", "not tar", "half", "no checksum", "damaged"],
)
def test_a_damaged_archive_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        unpacked(data, inside(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_broken_transfer_is_not_taken_for_a_damaged_archive(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield GOOD[:5000]
        raise DownloadError("the wire broke", mend="again")

    with pytest.raises(DownloadError, match="the wire broke"):
        unpack(broken(), inside(tmp_path), clock=SystemClock(), stop=threading.Event())


def test_ten_gibibytes_of_zeros_are_refused_early(tmp_path: Path) -> None:
    block = gzip.compress(bytes(16 << 20))
    header = gzip.compress(member("zeros", size=10 << 30).tobuf())
    tree = inside(tmp_path)
    with pytest.raises(ArchiveError, match="no runner"):
        unpack(iter([header] + [block] * 640), tree, clock=SystemClock(), stop=threading.Event())
    assert (tree / "zeros").stat().st_size < 200 << 20


@pytest.mark.parametrize(
    "limits", [Limits(archive_bytes=1000), Limits(unpacked_bytes=1000), Limits(members=3)]
)
def test_what_is_over_a_limit_is_refused(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(ArchiveError):
        unpacked(GOOD, inside(tmp_path), limits=limits)


def test_a_stop_ends_the_pass(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        unpacked(GOOD, inside(tmp_path), stop=stop)


def test_a_stop_in_the_middle_is_seen_at_the_next_chunk(tmp_path: Path) -> None:
    stop, got = threading.Event(), list[int]()

    def count(size: int) -> None:
        got.append(size)
        if len(got) == 3:
            stop.set()

    with pytest.raises(Interrupted):
        unpacked(GOOD, inside(tmp_path), stop=stop, on_bytes=count)
    assert got == [1000, 1000, 1000]


def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunnerDirError, match="RUNS_FLEET_RUNNER_DIR"):
        unpacked(GOOD, tmp_path / "missing")


NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", "link", "\x00", "ü" * 3]), min_size=1, max_size=5
).map("/".join)


def leads_nowhere(path: Path) -> bool:
    """A circle of links; what `resolve` makes of one, such as of `a -> a//a`, is no place that anybody can open."""
    try:
        path.stat()
    except OSError as exc:
        return exc.errno == errno.ELOOP
    return False


@example([("a", "2", "a//a")])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["0", "1", "2", "5", "3", "6"]), NAMES), max_size=8)
)
def test_nothing_ever_ends_up_outside_the_tree(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, str, str]]
) -> None:
    base = tmp_path_factory.mktemp("any")
    tree = inside(base)
    made = [
        (member(name, type=kind.encode(), linkname=link), b"x" if kind == "0" else b"")
        for name, kind, link in members
        if "\0" not in name + link
    ]
    with contextlib.suppress(ArchiveError):
        unpacked(tar(*made), tree)
    outside = [p for p in base.rglob("*") if not p.is_relative_to(tree) and p != tree.parent]
    assert outside == []
    for path in tree.rglob("*"):
        real = os.path.realpath(path)
        assert leads_nowhere(path) or Path(real).is_relative_to(os.path.realpath(tree))
