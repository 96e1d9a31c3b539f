"""An iterator that a thread of its own runs ahead of whoever takes from it, as far as a bounded queue lets it.

Reading from a socket, inflating, hashing and writing all let go of the interpreter's lock: as threads they use both cores.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Self

LOOK_SECONDS = 0.1
END_SECONDS = 1.0


class Ahead:
    """A context manager and an iterator; leaving it ends the thread, or lets it end by itself where it is held up in a call."""

    def __init__(
        self, items: Iterator[bytes], *, depth: int, check: Callable[[], None], name: str
    ) -> None:
        """Starts the thread.

        Args:
            items: taken in the thread; what it raises is raised to the taker, in its turn.
            depth: as many items may wait.
            check: called by the taker while it waits; what it raises ends the wait.
            name: the thread's.
        """
        self._items = items
        self._check = check
        self._waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(depth)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join(END_SECONDS)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while True:
            try:
                item = self._waiting.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                self._check()
                continue
            if item is None:
                raise StopIteration
            if isinstance(item, BaseException):
                raise item
            return item

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as exc:  # noqa: BLE001 - it is the taker's
            self._put(exc)
        else:
            self._put(None)

    def _put(self, item: bytes | BaseException | None) -> bool:
        while not self._left.is_set():
            try:
                self._waiting.put(item, timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False
