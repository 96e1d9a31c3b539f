"""A network of the test's own, in which the real IMDS address can be served and a firewall hurts nobody."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

needs_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="a network namespace takes root and iproute2",
)
needs_nft = pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin") is None,
    reason="there is no nft on this machine (apt-get install nftables)",
)


def in_namespace(work: Callable[[], T], *addresses: str) -> T:
    """Runs it in a thread whose network is a new one: the loopback with these addresses and nothing else.

    Sockets, threads and processes that it makes are in there too; all of it is gone afterwards.
    """

    def enter_and_work() -> T:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"there is no network namespace to be had: {os.strerror(ctypes.get_errno())}")  # fmt: skip
        ip("link", "set", "lo", "up")
        for address in addresses:
            ip("address", "add", address, "dev", "lo", "nodad")
        return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_work).result()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)
