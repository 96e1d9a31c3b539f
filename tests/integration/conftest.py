"""The real agent as a process tree against the embedded cloud; each test is one run of it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.demo.play import Play, Script
from agent.demo.promises import Promise, look


class Played:
    """A run that is over, and what was seen of it."""

    def __init__(self, play: Play, exit_status: int) -> None:
        self.play = play
        self.exit_status = exit_status
        self.promises: list[Promise] = look(play, exit_status)

    @property
    def broken(self) -> list[Promise]:
        return [promise for promise in self.promises if not promise.held]

    def assert_all_promises_held(self) -> None:
        assert self.broken == [], "\n".join(self.play.lines)

    @property
    def final(self) -> dict[str, object]:
        return dict(self.play.cloud.messages()[-1])


Run = Callable[[Script], Played]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Plays a script to its end; what the test looks at afterwards is still up until the test is over."""
    plays: list[Play] = []

    def run_script(script: Script) -> Played:
        play = Play(script, tmp_path)
        plays.append(play)
        play.__enter__()
        play.start()
        return Played(play, _finish(play))

    yield run_script
    for play in plays:
        play.__exit__()


def _finish(play: Play) -> int:
    """Watches the command lines of the machine until the agent has ended."""
    clock, over = SystemClock(), threading.Event()
    began = clock.monotonic()
    while play.process.poll() is None and clock.monotonic() - began < 150:
        play.look_at_argv()
        clock.wait(over, 0.1)
    return play.finish(10)
