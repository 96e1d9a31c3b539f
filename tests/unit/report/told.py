"""A run as the journal knows it and as the agent's lines tell it, with whatever names a test likes."""

from datetime import UTC, datetime, timedelta

from agent.journal import facts
from agent.journal.facts import Fact
from agent.outcome import EXPLAINED, Reason
from agent.report.evidence import Evidence
from agent.report.lines import parsed
from agent.report.story import Story
from agent.report.tell import tell

BEGAN = datetime(2026, 11, 23, 7, 42, 18, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"


def at(seconds: float) -> str:
    moment = BEGAN + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def journal(
    *,
    reason: str = Reason.JOB_SERVED,
    job_name: str = "build",
    detail: str = "",
    mend: str = "",
    job_seconds: float = 6.5,
) -> tuple[Fact, ...]:
    """From the first fact to the last."""
    over = 13.5 + job_seconds
    return (
        facts.RunBegan(at(0), INSTANCE, "eu-central-1", "boot", "0.1.0", 9.5, 100.0, "/runs-fleet/agent"),
        facts.ConfigFetched(at(2.0), "4711", "815", "octo-org/hello", "runner-1", "https://queue", 0.2),
        facts.RunnerPlaced(at(2.5), "2.336.0", "ab" * 32, "github", 2.4, 123_400_000),
        facts.Registered(at(3.0), "token", 0.5),
        facts.RunnerStarted(at(3.2), 4711, 99, 3.2, 103.2),
        facts.MessageSent(at(3.3), "started", "m-1"),
        facts.ParametersDeleted(at(3.4)),
        facts.InstanceKnown(at(3.5), "123456789012", "c7i.large", "eu-central-1a"),
        facts.JobSeen(at(13.5), job_name),
        facts.RunnerGone(at(over)),
        facts.Ended(at(over + 0.01), reason, detail, "succeeded", job_name, 0, 3391, 71818, 0, 120.0, mend=mend),
        facts.LogsFlushed(at(over + 0.1), complete=True, runner_lines=75, runner_bytes=2800, unsent_lines=0, dropped_bytes=0),
        facts.MessageSent(at(over + 0.2), EXPLAINED[Reason(reason)].status if reason in list(Reason) else "failure", "m-2"),
        facts.CleanedUp(at(over + 0.3), 0),
        facts.TerminateCalled(at(over + 0.5), "terminate_instances"),
    )  # fmt: skip


def said() -> list[str]:
    """The same run, as the agent stream has it."""
    texts = (
        (0, "run.began instance_id=i-0123456789abcdef0 region=eu-central-1 agent_version=0.1.0 boot_seconds=9.500"),
        (1.5, "runner.downloaded source=github version=2.336.0 bytes=123400000 members=14000 seconds=1.234"),
        (2.0, "config.fetched run_id=4711 job_id=815 repo=octo-org/hello runner_name=runner-1 seconds=0.200"),
        (2.5, f"runner.verified version=2.336.0 sha256={'ab' * 32} source=github bytes=123400000 seconds=2.400"),
        (3.0, "runner.registered how=token name=runner-1 seconds=0.500"),
        (3.2, "runner.started pid=4711 user=runner seconds=3.200"),
        (3.3, "message.sent status=started message_id=m-1"),
        (3.4, "config.deleted"),
        (3.5, "instance.known account_id=123456789012 instance_type=c7i.large zone=eu-central-1a"),
        (3.6, "runner.listening"),
        (13.5, "job.started name=build"),
        (20.0, "runner.gone killed=0"),
        (20.01, "run.ended reason=job_served status=success job_result=succeeded job_name=build exit_code=0 peak_memory_mb=3391 min_disk_free_mb=71818 oom_kills=0"),
        (20.1, "logs.shipped upload=disabled runner_lines=75 runner_bytes=2800 dropped_bytes=0"),
        (20.2, "message.sent status=success message_id=m-2"),
        (20.3, "clean_up.complete left=0"),
        (20.35, "instance.terminate instance_id=i-0123456789abcdef0"),
        (20.5, "instance.terminating instance_id=i-0123456789abcdef0 state=shutting-down"),
    )  # fmt: skip
    return [f"{at(seconds)} INFO agent.stages.some {text}" for seconds, text in texts]


def story(
    known: tuple[Fact, ...] | None = None,
    lines: list[str] | None = None,
    runner_said: tuple[str, ...] = (),
) -> Story:
    """Of the facts, and of lines beside them."""
    evidence = Evidence(
        source="the journal",
        facts=journal() if known is None else known,
        lines=tuple(parsed(lines or [])),
        runner_said=runner_said,
        log_group="/runs-fleet/agent",
    )
    told = tell(evidence)
    assert told is not None
    return told
