"""`runs-fleet-agent demo`."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from agent.demo import report
from agent.demo.live import LiveView, console_on, plainly, settle
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.demo.scenarios import scenarios
from agent.errors import SettingsError
from agent.localcloud.endpoint import reachable
from agent.runner.user import runner_user

FILLER_FILES = 1500
FILLER_BYTES = 24_000_000
"""Enough for a download that can be seen, at the speed that the scenarios give GitHub."""
INTERRUPTED = 130
REFUSED = 2
RUNNER_USER = "RUNS_FLEET_RUNNER_USER"
OPEN = 0o755
"""The runner's user must reach its directory; the agent's own are closed all the same."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a scenario is played.

    Attributes:
        keep: leave the working directory behind and say where it is.
        aws_endpoint: an AWS-compatible server that runs already; None for the embedded one.
        runner_user: who runs the job when the agent is root; None for the agent's own user.
        as_json: the result as one JSON object on stdout.
    """

    keep: bool = False
    aws_endpoint: str | None = None
    runner_user: str | None = None
    as_json: bool = False


def show_scenarios(*, as_json: bool = False) -> int:
    """Prints them to stdout."""
    known = scenarios(Path(tempfile.gettempdir()))
    if as_json:
        listed = [{"scenario": n, "title": s.title, "reason": s.reason} for n, s in known.items()]
        sys.stdout.write(f"{json.dumps(listed, indent=2)}\n")
        return 0
    for name, script in known.items():
        sys.stdout.write(f"{name:<18} {script.title}\n")
    return 0


def demo(name: str, options: Options) -> int:
    """Plays one scenario and checks every promise; 0 when all were seen to hold.

    The steps go to stderr, what it comes to goes to stdout.
    """
    settle(sys.stdout, sys.stderr)
    plain = plainly(os.environ, sys.stdout, sys.stderr)
    steps, results = console_on(sys.stderr, plain=plain), console_on(sys.stdout, plain=plain)
    workdir = Path(tempfile.mkdtemp(prefix="runs-fleet-demo-"))
    if options.runner_user is not None:
        workdir.chmod(OPEN)
    try:
        with _every_stop_like_ctrl_c():
            script = _chosen(name, workdir, options)
            endpoint = reachable(options.aws_endpoint) if options.aws_endpoint else None
            view = LiveView(steps)
            view.head(*_header(name, script, endpoint))
            play = Play(
                script,
                workdir,
                filler_files=FILLER_FILES,
                filler_bytes=FILLER_BYTES,
                aws_endpoint=endpoint,
            )
            with view.shown(), play:
                seen = _watched(name, play, view)
                _tell(seen, results, as_json=options.as_json)
                return 0 if seen.ok else 1
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("runs-fleet-agent: the demo was stopped; its agent has ended\n")
        return INTERRUPTED
    finally:
        if options.keep:
            sys.stderr.write(f"kept: {workdir}\n")
        else:
            shutil.rmtree(workdir, ignore_errors=True)


def _chosen(name: str, workdir: Path, options: Options) -> Script:
    known = scenarios(workdir)
    if name not in known:
        raise SettingsError(
            f"--scenario {name}: there is no such scenario",
            mend=f"choose one of {', '.join(known)}",
        )
    if options.runner_user is None:
        return known[name]
    user = {RUNNER_USER: runner_user(options.runner_user).name}
    return replace(known[name], settings={**known[name].settings, **user})


def _header(name: str, script: Script, endpoint: str | None) -> tuple[str, ...]:
    aws = f"AWS at {endpoint}, embedded GitHub" if endpoint else "embedded AWS, GitHub"
    return (
        f"runs-fleet-agent demo · {name}: {script.title}",
        f"The agent is the real one; {aws} and runner on loopback.",
        "",
    )


def _tell(seen: report.Seen, results: Console, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(f"{report.as_json(seen)}\n")
    else:
        report.show(seen, results)


def _watched(name: str, play: Play, view: LiveView) -> report.Seen:
    try:
        play.start()
        view.watch(play)
        for _ in play.follow():
            view.refresh()
        exit_status = play.finish()
        view.over()
    except KeyboardInterrupt:
        view.over()
        sys.stderr.write("stopping: the agent ends its job and its instance, at most 30 s\n")
        raise
    promises = tuple(look(play, exit_status))
    return report.Seen(name, play, exit_status, view.seconds, tuple(view.steps), promises)


@contextmanager
def _every_stop_like_ctrl_c() -> Iterator[None]:
    """A closed terminal or a `kill` leaves neither an agent nor its files behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
