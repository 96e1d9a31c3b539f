"""Iterators that a thread runs ahead of their taker."""

import threading
from collections.abc import Iterator

import pytest

from agent.archive.ahead import Ahead


def nothing() -> None:
    """There is no reason to end."""


def test_items_come_in_order_and_end() -> None:
    items = [bytes([n]) for n in range(200)]
    with Ahead(iter(items), depth=3, check=nothing, name="t") as ahead:
        assert list(ahead) == items


def test_no_more_than_the_queue_holds_is_taken_ahead() -> None:
    taken = threading.Semaphore(0)
    count = [0]

    def endless() -> Iterator[bytes]:
        while True:
            count[0] += 1
            taken.release()
            yield b"x"

    with Ahead(endless(), depth=4, check=nothing, name="t"):
        for _ in range(5):  # four in the queue, and one in hand
            assert taken.acquire(timeout=5)
        assert not taken.acquire(timeout=0.3)
        assert count == [5]


def test_an_error_comes_after_what_came_before_it() -> None:
    def breaks() -> Iterator[bytes]:
        yield b"a"
        raise OSError("the cable")

    with Ahead(breaks(), depth=4, check=nothing, name="t") as ahead:
        assert next(ahead) == b"a"
        with pytest.raises(OSError, match="the cable"):
            next(ahead)


def test_a_taker_that_waits_hears_of_a_stop_although_the_source_hangs() -> None:
    over = threading.Event()

    def hangs() -> Iterator[bytes]:
        over.wait(10)
        yield b"late"

    def check() -> None:
        over.set()
        raise InterruptedError

    with Ahead(hangs(), depth=4, check=check, name="t") as ahead, pytest.raises(InterruptedError):
        next(ahead)


def test_leaving_ends_the_thread() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    with Ahead(endless(), depth=2, check=nothing, name="runs-ahead") as ahead:
        next(ahead)
    assert "runs-ahead" not in {thread.name for thread in threading.enumerate()}
