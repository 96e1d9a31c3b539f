import threading

import pytest

from agent.bounded import within
from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.errors import AwsError

CLOCK = SystemClock()


def test_what_a_call_gives_or_raises_is_given_and_raised() -> None:
    soon = Deadline.after(CLOCK, 10)
    assert within(soon, lambda: 7, what="seven") == 7
    with pytest.raises(ValueError, match="x"):
        within(soon, lambda: int("x"), what="a number")


def test_a_call_that_hangs_is_left_behind_and_named() -> None:
    hung = threading.Event()
    began = CLOCK.monotonic()
    with pytest.raises(
        AwsError, match="ec2:TerminateInstances did not come back in time"
    ) as caught:
        within(Deadline.after(CLOCK, 0.05), lambda: hung.wait(20), what="ec2:TerminateInstances")
    hung.set()
    assert caught.value.transient
    assert CLOCK.monotonic() - began < 5
