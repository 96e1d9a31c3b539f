"""`runs-fleet-agent demo`."""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from rich.console import Console

from agent.clock import SystemClock
from agent.demo.live import LiveView
from agent.demo.play import RUN_SECONDS, Play, Script
from agent.demo.promises import look
from agent.demo.report import report
from agent.demo.scenarios import scenarios

LOOK_SECONDS = 0.25
FILLER_FILES = 1500
FILLER_BYTES = 24_000_000
"""Enough for a download that can be seen, at the speed that the scenarios give GitHub."""
INTERRUPTED = 130


def demo(name: str, *, list_only: bool = False, keep: bool = False) -> int:
    """Plays one scenario and checks every promise; 0 when all were seen to hold.

    Args:
        name: of the scenario.
        list_only: print the scenarios instead.
        keep: leave the working directory behind and say where it is.
    """
    console = Console(highlight=False)
    workdir = Path(tempfile.mkdtemp(prefix="runs-fleet-demo-"))
    try:
        known = scenarios(workdir)
        if list_only:
            for each, script in known.items():
                console.print(f"{each:<18} {script.title}")
            return 0
        if name not in known:
            sys.stderr.write(
                f"runs-fleet-agent: there is no scenario {name!r}; choose one of {', '.join(known)}\n"
            )
            return 2
        return _play(name, known[name], workdir, console)
    except KeyboardInterrupt:
        console.print("\nstopped; the agent was told to end, and nothing of it is left")
        return INTERRUPTED
    finally:
        if keep:
            console.print(f"kept: {workdir}")
        else:
            shutil.rmtree(workdir, ignore_errors=True)


def _play(name: str, script: Script, workdir: Path, console: Console) -> int:
    console.print(f"[bold]runs-fleet-agent demo[/] · {name}: {script.title}")
    console.print("embedded AWS, GitHub and runner on loopback; the agent is the real one\n")
    with Play(script, workdir, filler_files=FILLER_FILES, filler_bytes=FILLER_BYTES) as play:
        began = play.clock.monotonic()
        view = LiveView(play, console)
        play.start()
        with view.shown():
            _follow(play, view)
        exit_status = play.finish()
        promises = look(play, exit_status)
        report(play, promises, console)
        held = all(promise.held for promise in promises)
        if not held:
            console.print("[red]A promise was broken; the agent said:[/]")
            console.print("\n".join(play.lines), markup=False, soft_wrap=True)
        verdict = "all promises held" if held else "[red]NOT all promises held[/]"
        console.print(f"\n{verdict}, {play.clock.monotonic() - began:.1f} s in all")
        return 0 if held else 1


def _follow(play: Play, view: LiveView) -> None:
    """Until the agent has ended, or is over every limit."""
    clock = SystemClock()
    over = threading.Event()
    began = clock.monotonic()
    while play.process.poll() is None and clock.monotonic() - began < RUN_SECONDS:
        view.refresh()
        play.look_at_argv()
        clock.wait(over, LOOK_SECONDS)
    view.refresh()
