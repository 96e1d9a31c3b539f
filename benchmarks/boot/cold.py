"""A root volume that has just been made from a snapshot: nothing in the page cache, and a disk that answers slowly.

EC2 fetches each block of such a volume from S3 when it is first read
(https://docs.aws.amazon.com/ebs/latest/userguide/ebs-initialize.html). Root, cgroup v1 and a real disk only.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/blkio")
READS_PER_SECOND = 1000
BYTES_PER_SECOND = 60_000_000


def possible() -> bool:
    return os.geteuid() == 0 and (CGROUP / "blkio.throttle.read_iops_device").exists()


@contextmanager
def slow_disk(path: Path) -> Iterator[None]:
    """This process, and what it starts, reads the path's disk slowly until the block ends.

    Raises:
        OSError: the kernel will not have it.
    """
    device = path.stat().st_dev
    disk = f"{os.major(device)}:{os.minor(device)}"
    own = CGROUP / f"bench-boot-{os.getpid()}"
    own.mkdir()
    try:
        (own / "blkio.throttle.read_iops_device").write_text(f"{disk} {READS_PER_SECOND}")
        (own / "blkio.throttle.read_bps_device").write_text(f"{disk} {BYTES_PER_SECOND}")
        (own / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        (CGROUP / "cgroup.procs").write_text(str(os.getpid()))
        own.rmdir()


def forget_pages() -> None:
    """Drops everything that was read from any disk."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
