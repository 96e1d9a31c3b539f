"""A call that may hang, bounded from outside: DNS, a socket or a disk can keep a call longer than any time-out of its library."""

import threading
from collections.abc import Callable
from typing import TypeVar

from agent.deadline import Deadline
from agent.errors import AwsError

R = TypeVar("R")


def within(deadline: Deadline, call: Callable[[], R], *, what: str) -> R:
    """Runs the call in a thread of its own and waits for it at most until the deadline.

    A call that is still at work then is left behind; nobody hears of its result.

    Args:
        deadline: when to give up.
        call: what may hang.
        what: names the call in the error, as IAM does where it is one of AWS.

    Raises:
        AwsError: it did not end in time; transient.
        Exception: whatever the call raised.
    """
    results: list[R] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # noqa: BLE001 - it is raised again where it is waited for
            errors.append(exc)
        done.set()

    done = threading.Event()
    threading.Thread(target=work, name=f"within {what}", daemon=True).start()
    if not deadline.clock.wait(done, deadline.remaining()):
        raise AwsError(
            f"{what} did not come back in time",
            mend="check the region and the subnet's route, DNS and VPC endpoints",
            transient=True,
        )
    if errors:
        raise errors[0]
    return results[0]
