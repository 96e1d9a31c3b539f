"""What goes wrong in one seeded run, and when: the same seed gives the same plan."""

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill", "freeze", "stop", "aws", "disk", "clock"]
MOMENTS = (
    "run.began",
    "config.fetched",
    "runner.downloaded",
    "runner.verified",
    "runner.process_started",
    "runner.registered",
    "runner.started",
    "runner.listening",
    "job.started",
    "runner.gone",
    "run.ended",
    "logs.shipped",
    "status=success",
    "clean_up.complete",
    "instance.terminate",
)
"""Events of the agent's log."""
PROCESSES = ("flow", "flow", "flow", "api", "api", "guardian")
SERVICES = ("ssm", "sqs", "logs", "ec2", "s3", "*")
JUMPS = ("+5s", "-5s", "+90s", "-90s", "+1h", "-1h", "+3d", "-3d")
AWS_MODES = ("refuse", "throttle", "outage", "hang")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    moment: str
    """It happens `delay` seconds after this event of the agent's, or that long after its start where it is empty."""
    delay: float
    seconds: float
    """How long it lasts, where it does."""
    what: str
    """A process of the agent's, an AWS service and a mode, or how far the wall clock jumps; empty where the kind says it all."""

    def __str__(self) -> str:
        when = f"{self.delay:.2f} s after {self.moment or 'the start'}"
        lasts = "" if self.kind in ("kill", "stop") else f" for {self.seconds:.1f} s"
        return f"{self.kind} {self.what}".strip() + f"{lasts}, {when}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its job, and its faults."""

    seed: int
    faults: tuple[Fault, ...]
    job_seconds: float
    lines: int
    """Numbered lines that the listener prints."""
    fifo: bool


def plan(seed: int) -> Plan:
    """One to three faults of one run."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    count = dice.choice((1, 1, 1, 2, 2, 3))
    return Plan(
        seed,
        tuple(_fault(dice) for _ in range(count)),
        job_seconds=dice.uniform(0.2, 3.0),
        lines=dice.choice((0, 50, 400)),
        fifo=dice.random() < 0.3,
    )


def _fault(dice: random.Random) -> Fault:
    kind: Kind = dice.choice(
        ("kill", "kill", "kill", "freeze", "stop", "aws", "aws", "aws", "disk", "clock")
    )
    moment = dice.choice(MOMENTS) if dice.random() < 0.8 else ""
    what = ""
    if kind in ("kill", "freeze"):
        what = dice.choice(PROCESSES)
    elif kind == "stop":
        what = dice.choice(("guardian", "flow"))
    elif kind == "aws":
        what = f"{dice.choice(SERVICES)} {dice.choice(AWS_MODES)}"
    elif kind == "clock":
        what = dice.choice(JUMPS)
    return Fault(
        kind,
        moment,
        delay=dice.uniform(0, 0.6) if moment else dice.uniform(0, 9),
        seconds=dice.uniform(0.5, 5),
        what=what,
    )
