"""Makes a story of the evidence."""

from collections.abc import Iterator

from agent.journal.facts import Ended
from agent.journal.progress import Owed, Progress
from agent.outcome import EXPLAINED, JobResult, Reason
from agent.report.console import stream_url
from agent.report.evidence import Evidence
from agent.report.figures import figures, phases
from agent.report.lines import Line
from agent.report.moments import moments
from agent.report.plain import moment, plain
from agent.report.spans import spans
from agent.report.story import Ending, Story, Stream

MOST_WARNINGS = 50
_OWED = {
    Owed.STOP_RUNNER: "the runner's processes gone",
    Owed.SHIP_LOGS: "the last lines in CloudWatch",
    Owed.FINAL_MESSAGE: "the final message",
    Owed.CLEAN_UP: "the runner's files removed",
    Owed.TERMINATE: "the instance terminated",
}


def tell(evidence: Evidence) -> Story | None:
    """The story; None where the evidence does not even say that a run began."""
    known = Progress.of(evidence.facts)
    began, config, instance = known.began, known.config, known.instance
    happened = moments(evidence)
    if began is None or not happened:
        return None
    last = max([happened[-1].at, *(moment(line.at) for line in evidence.lines[-1:])])  # fmt: skip
    warned = [line for line in evidence.lines if _is_worth_a_look(line)]
    started = known.runner_started
    return Story(
        source=plain(evidence.source),
        instance_id=plain(began.instance_id),
        run_id=plain(config.run_id) if config else "",
        job_id=plain(config.job_id) if config else "",
        repo=plain(config.repo) if config else "",
        runner_name=plain(config.runner_name) if config else "",
        region=plain(began.region),
        zone=plain(instance.zone) if instance else "",
        account_id=plain((instance.account_id if instance else "") or evidence.account_id),
        instance_type=plain(instance.instance_type) if instance else "",
        agent_version=plain(began.agent_version),
        runner_version=plain(known.placed.version) if known.placed else "",
        log_group=plain(evidence.log_group),
        began=moment(began.at),
        over=moment(known.terminated.at) if known.terminated else None,
        ending=_ending(known.ended) if known.ended else None,
        job_name=_job_name(known),
        job_result=_job_result(known),
        last_seen=last,
        moments=happened,
        spans=spans(known, evidence.lines, last),
        run_sh_at=moment(started.at) if started else None,
        ended_at=moment(known.ended.at) if known.ended else None,
        phases=phases(known),
        figures=tuple(figures(known, evidence)),
        warnings=tuple(_warning(line) for line in warned[:MOST_WARNINGS]),
        warnings_left_out=max(0, len(warned) - MOST_WARNINGS),
        owed=tuple(_OWED[owed] for owed in known.owed()),
        runner_said=tuple(plain(line) for line in evidence.runner_said),
        streams=tuple(_streams(known, evidence)),
    )


def _ending(fact: Ended) -> Ending:
    try:
        explained = EXPLAINED[Reason(fact.reason)]
    except ValueError:  # of a newer agent
        reason, detail, mend = plain(fact.reason), plain(fact.detail, 800), plain(fact.mend, 800)
        return Ending(reason, "", "", "", detail, mend, fact.exit_code)
    general = explained.what_to_do
    return Ending(
        fact.reason,
        explained.status,
        explained.meaning,
        general,
        plain(fact.detail, 800),
        "" if fact.mend.lower() == general.lower() else plain(fact.mend, 800),
        fact.exit_code,
    )


def _job_name(known: Progress) -> str:
    if known.ended is not None and known.ended.job_name:
        return plain(known.ended.job_name)
    return plain(known.job_seen.name) if known.job_seen else ""


def _job_result(known: Progress) -> str:
    """Empty where there was no job, or nobody has said yet."""
    result = known.ended.job_result if known.ended else ""
    return result if result in set(JobResult) - {JobResult.NONE} else ""


def _is_worth_a_look(line: Line) -> bool:
    """Prefect says of each failed task and flow what the outcome says already."""
    return line.is_warning and not line.text.startswith("Finished in state ")


def _warning(line: Line) -> str:
    return f"{line.at[11:23]} {plain(line.text, 500)}"


def _streams(known: Progress, evidence: Evidence) -> Iterator[Stream]:
    """As the contract names them (section 6)."""
    began, config, group = known.began, known.config, evidence.log_group
    if not group or began is None or not began.region:
        return
    place = f"{config.run_id}/{began.instance_id}" if config else f"boot/{began.instance_id}"
    names = [f"{place}/agent"]
    if known.registered is not None or known.runner_started is not None:
        names.append(f"{place}/runner")
    for name in names:
        yield Stream(plain(name), stream_url(began.region, group, name))
