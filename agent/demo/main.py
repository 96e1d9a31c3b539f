"""`runs-fleet-agent demo`."""

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from agent.demo.live import LiveView
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.demo.report import report
from agent.demo.scenarios import scenarios
from agent.errors import SettingsError
from agent.localcloud.endpoint import reachable

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
    """

    keep: bool = False
    aws_endpoint: str | None = None
    runner_user: str | None = None


def show_scenarios() -> int:
    """Prints them."""
    for name, script in scenarios(Path(tempfile.gettempdir())).items():
        Console(highlight=False).print(f"{name:<18} {script.title}")
    return 0


def demo(name: str, options: Options) -> int:
    """Plays one scenario and checks every promise; 0 when all were seen to hold."""
    console = Console(highlight=False)
    workdir = Path(tempfile.mkdtemp(prefix="runs-fleet-demo-"))
    if options.runner_user is not None:
        workdir.chmod(OPEN)
    try:
        return _play(name, _chosen(name, workdir, options), workdir, options, console)
    except SettingsError as exc:
        sys.stderr.write(f"runs-fleet-agent: {exc}\n")
        return REFUSED
    except KeyboardInterrupt:
        console.print("\nstopped; the agent was told to end, and nothing of it is left")
        return INTERRUPTED
    finally:
        if options.keep:
            console.print(f"kept: {workdir}")
        else:
            shutil.rmtree(workdir, ignore_errors=True)


def _chosen(name: str, workdir: Path, options: Options) -> Script:
    known = scenarios(workdir)
    if name not in known:
        raise SettingsError(
            f"there is no scenario {name!r}", mend=f"choose one of {', '.join(known)}"
        )
    if options.runner_user is None:
        return known[name]
    user = {RUNNER_USER: options.runner_user}
    return replace(known[name], settings={**known[name].settings, **user})


def _play(name: str, script: Script, workdir: Path, options: Options, console: Console) -> int:
    endpoint = reachable(options.aws_endpoint) if options.aws_endpoint else None
    aws = f"AWS at {endpoint}, embedded GitHub" if endpoint else "embedded AWS, GitHub"
    console.print(f"[bold]runs-fleet-agent demo[/] · {name}: {script.title}")
    console.print(f"{aws} and runner on loopback; the agent is the real one\n")
    with Play(
        script,
        workdir,
        filler_files=FILLER_FILES,
        filler_bytes=FILLER_BYTES,
        aws_endpoint=endpoint,
    ) as play:
        began = play.clock.monotonic()
        view = LiveView(play, console)
        play.start()
        with view.shown():
            for _ in play.follow():
                view.refresh()
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
