"""One seeded run of the agent with its faults, as systemd would see it, and what an outside observer then finds."""

import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.demo.play import Play, Script
from agent.demo.promises import (
    holds_a_secret,
    progress,
    runner_stream_lines,
    said_by_the_runner,
)
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.faults import wall_clock
from tests.faults.seeded import Plan
from tests.faults.strike import kill_everything, runners, strike_when_due

RUN_SECONDS = 120.0
"""After which a run counts as one that never ends."""
END_SECONDS = 90.0
STATE_MB = 96
SETTINGS = {
    "RUNS_FLEET_FINISH_TIMEOUT_SECONDS": "20",
    "RUNS_FLEET_NOTIFY_TIMEOUT_SECONDS": "5",
    "RUNS_FLEET_GRACE_SECONDS": "8",
    "RUNS_FLEET_MAX_RUNTIME_MINUTES": "1",
    "RUNS_FLEET_STANDBY_DEADLINE_MINUTES": "0.7",
    "RUNS_FLEET_SPOT_POLL_SECONDS": "1",
}


@dataclass
class Result:
    """What became of one run."""

    plan: Plan
    reason: str = ""
    ended_by: str = ""
    seconds_to_end: float = 0.0
    """From the last fault to the end of the last process of the agent."""
    job_survived: bool = False
    messages: list[str] = field(default_factory=list)
    lines_lost: int = 0
    lines_left: int = 0
    """In the spool, because CloudWatch took no more until the finish timeout; the agent's log says so."""
    lines_repeated: int = 0
    broken: list[str] = field(default_factory=list)
    """Promises of contract section 7 that were seen not to hold."""
    said: str = ""
    """The agent's words."""


def play_one(plan: Plan, workdir: Path) -> Result:
    """Plays the plan and looks at what is left."""
    result = Result(plan)
    with _played(plan, workdir) as play, _small_disk(play, plan):
        struck: list[float] = []
        play.start()
        for fault in plan.faults:
            threading.Thread(
                target=strike_when_due, args=(play, fault, struck), daemon=True
            ).start()
        _see_it_end(play, result)
        result.seconds_to_end = (
            SystemClock().monotonic() - max(struck, default=0.0) if struck else 0.0
        )
        _observe(play, result)
        result.said = "\n".join(play.lines)
    return result


def play_below(each: Plan, folder: Path) -> Result:
    """As `play_one`, in a directory of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"seed-{each.seed}-", dir=folder) as workdir:
        return play_one(each, Path(workdir))


@contextmanager
def _played(plan: Plan, workdir: Path) -> Iterator[Play]:
    ticks = max(1, int(plan.job_seconds / 0.1))
    step = Step(name="work", run=f"for i in $(seq {ticks}); do echo tick $i; sleep 0.1; done")
    runner = Scenario(job=Job(steps=(step,)), time_scale=0.1, output_lines=plan.lines)
    power_off = {"RUNS_FLEET_POWER_OFF_COMMAND": f"touch '{workdir / 'powered-off'}'"}
    clock = (
        wall_clock.environment(workdir) if any(each.kind == "clock" for each in plan.faults) else {}
    )
    # Only so is there a process of it to strike.
    stock = {"RUNS_FLEET_STOCK_PREFECT": str(any(each.what == "api" for each in plan.faults))}
    settings = {**SETTINGS, **power_off, **clock, **stock}
    script = Script(f"chaos {plan.seed}", runner=runner, settings=settings, fifo=plan.fifo)
    with Play(script, workdir, filler_files=20, filler_bytes=200_000) as play:
        yield play


@contextmanager
def _small_disk(play: Play, plan: Plan) -> Iterator[None]:
    """A state directory that can be filled, where this is root and the plan wants it."""
    play.state_dir.mkdir()
    if os.geteuid() != 0 or all(fault.kind != "disk" for fault in plan.faults):
        yield
        return
    size = f"size={STATE_MB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", play.state_dir], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", play.state_dir], check=True)


def _see_it_end(play: Play, result: Result) -> None:
    """The main process to its end; then what systemd does: the rest of the service is killed, `end` is run."""
    try:
        status = play.process.wait(RUN_SECONDS)
    except subprocess.TimeoutExpired:
        result.broken.append(f"the agent did not end within {RUN_SECONDS:g} s")
        status = -9
        play.process.kill()
        play.process.wait()
    result.ended_by = "agent" if status >= 0 else "systemd"
    kill_everything(play)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "agent", "end"],
            env=play.environment(),
            capture_output=True,
            text=True,
            timeout=END_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        result.broken.append(f"`end` did not end within {END_SECONDS:g} s")
    else:
        play.lines += done.stderr.splitlines()
        if done.returncode != 0:
            result.broken.append(f"`end` ended with status {done.returncode}")


def _observe(play: Play, result: Result) -> None:
    known = progress(play)
    result.reason = known.ended.reason if known.ended else "none"
    conclusions = [each["conclusion"] for each in play.cloud.github.conclusions]
    result.job_survived = conclusions == ["success"]
    _look_at_the_end(play, result)
    _look_at_messages(play, result, play.cloud.messages())
    _look_at_lines(play, result)
    if left := runners(play):
        result.broken.append(f"processes of the runner are left: {left}")
    if len(conclusions) > 1:
        result.broken.append("the job was run twice")
    if _agent_only(result.plan) and not result.job_survived:
        result.broken.append("a crash of the agent cost the job")
    if _leaks(play):
        result.broken.append("a secret can be read")


def _agent_only(plan: Plan) -> bool:
    """Whether only processes of the agent below its guardian were killed or frozen: no reason to lose a job."""
    return all(
        fault.kind in ("kill", "freeze") and fault.what in ("flow", "api") for fault in plan.faults
    )


def _look_at_the_end(play: Play, result: Result) -> None:
    asked = set(play.cloud.terminated_instances())
    off = (play.workdir / "powered-off").exists()
    if asked - {play.cloud.instance_id}:
        result.broken.append(f"another instance was terminated: {asked}")
    if not asked and not off:
        result.broken.append("neither a terminate call nor a power-off")


def _look_at_messages(play: Play, result: Result, messages: list[dict[str, Any]]) -> None:
    result.messages = [message["status"] for message in messages]
    finals = [message for message in messages if message["status"] != "started"]
    if len({str(sorted(message.items())) for message in finals}) > 1:
        result.broken.append(f"two different final messages: {finals}")
    if (
        "started" in result.messages[result.messages.index(finals[0]["status"]) :]
        if finals
        else False
    ):
        result.broken.append("`started` came after the final message")
    words = "\n".join(play.lines)
    if not finals and not any(sign in words for sign in ("message.not_sent", "message.no_queue")):
        result.broken.append("no final message, and the log does not hold it either")


def _look_at_lines(play: Play, result: Result) -> None:
    said, shipped = Counter(said_by_the_runner(play)), Counter(runner_stream_lines(play))
    missing = sum((said - shipped).values()) - (said - shipped)[""]
    result.lines_repeated = sum((shipped - said).values()) - (shipped - said)[" "]
    if "logs.left_in_the_spool" in "\n".join(play.lines):
        result.lines_left = missing
    else:
        result.lines_lost = missing
    if result.lines_lost:
        result.broken.append(f"{result.lines_lost} lines of the runner are not in CloudWatch")


def _leaks(play: Play) -> bool:
    texts = ["\n".join(play.lines), str(play.cloud.messages())]
    texts += [line for name in play.cloud.log_streams() for line in play.cloud.log_lines(name)]
    return any(holds_a_secret(play, text.encode()) for text in texts)
