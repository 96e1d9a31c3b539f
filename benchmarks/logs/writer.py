"""Writes numbered lines as a job does: one write a line, to stdout. Prints how long it took to stderr."""

import hashlib
import os
import sys
import time

LINE_BYTES = 200


def main(lines: int, lines_a_second: float, work_bytes: int) -> None:
    """Writes as fast as it can; at a pace, or with so much to hash before each line, where either is given."""
    work = bytes(work_bytes)
    began = time.monotonic()
    write = os.write
    for number in range(lines):
        if lines_a_second and number % 100 == 0:
            ahead = began + number / lines_a_second - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        if work:
            hashlib.sha256(work).digest()
        head = f"{number} {time.monotonic():.6f} "
        write(1, head.ljust(LINE_BYTES - 1, "x").encode() + b"\n")
    sys.stderr.write(f"{time.monotonic() - began:.6f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
