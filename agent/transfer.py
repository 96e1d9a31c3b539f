"""How far a download has come, seen from every process that was forked from the one that made this."""

import mmap

_GOT, _OF = 0, 1


class Transfer:
    """Two numbers in memory that forked processes share; one process writes at a time."""

    def __init__(self) -> None:
        """Nothing has come yet, and nobody knows how much there is."""
        self._numbers = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    @property
    def got(self) -> int:
        """Bytes so far of the archive that is on its way, or that came last."""
        return int(self._numbers[_GOT])

    @property
    def of(self) -> int | None:
        """Its size; None where that is not known."""
        return int(self._numbers[_OF]) or None

    def begin(self, of: int | None) -> None:
        """Another archive begins."""
        self._numbers[_GOT], self._numbers[_OF] = 0, of or 0

    def more(self, count: int) -> None:
        self._numbers[_GOT] += count
