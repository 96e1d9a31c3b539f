"""The story as Markdown that reads well as it stands."""

import re
from collections.abc import Iterable, Iterator, Sequence

from agent.report.plain import clock_time, duration
from agent.report.story import Story

_NAME = re.compile(r"[A-Za-z0-9-]+")
_TICKS = re.compile(r"`+")


def markdown(story: Story) -> str:
    """One page. What a job may have chosen stands in code spans, where nothing in it means anything."""
    return "\n".join(_lines(story)) + "\n"


def _lines(story: Story) -> Iterator[str]:
    yield f"# {title(story)}"
    yield ""
    yield from _why(story)
    yield ""
    yield from _table(("run", ""), ((name, code(value)) for name, value in about(story)))
    yield from _section("What happened", _happened(story))
    yield from _section("The boot", _phases(story))
    yield from _section("Sizes and peaks", _figures(story))
    yield from _section("Last lines of the runner", _block(story.runner_said))
    yield from _section("Warnings", _warnings(story))
    yield from _section("Still owed", (f"- {what}" for what in story.owed))
    yield from _section("Log streams", _streams(story))
    yield ""
    yield f"From {code(story.source)}."


def title(story: Story) -> str:
    """Without a word that a job has chosen."""
    how = "not over"
    if story.ending is not None:
        how = story.ending.reason if story.ending.status else "an outcome of a newer agent"
    return f"{story.instance_id if _NAME.fullmatch(story.instance_id) else 'an instance'}: {how}"


def about(story: Story) -> Iterator[tuple[str, str]]:
    """What is known of run, instance and place, by name."""
    end = f"{story.over:%Y-%m-%d %H:%M:%S} UTC" if story.over else ""
    place = ", ".join(filter(None, (story.region, story.zone)))
    for name, value in (
        ("run id", story.run_id),
        ("job id", story.job_id),
        ("repository", story.repo),
        ("runner", story.runner_name),
        ("instance", story.instance_id),
        ("type", story.instance_type),
        ("region", place),
        ("account", story.account_id or "not known"),
        ("log group", story.log_group or "not known"),
        ("agent", story.agent_version),
        ("runner version", story.runner_version),
        ("began", f"{story.began:%Y-%m-%d %H:%M:%S} UTC"),
        ("over", end or "not known"),
    ):
        if value:
            yield name, value


def took(story: Story) -> str:
    """From the agent's start to the end of the instance; empty where that is not known."""
    return duration((story.over - story.began).total_seconds()) if story.over else ""


def _why(story: Story) -> Iterator[str]:
    ending = story.ending
    if ending is None:
        yield f"**How it ended is not known.** The last that was heard of it: {clock_time(story.last_seen)} UTC."
    else:
        yield f"**{ending.meaning or 'This outcome is of a newer agent than this one.'}**"
        if ending.detail:
            yield f"- detail: {code(ending.detail)}"
        if ending.status:
            yield f"- status: {ending.status}"
    if story.job_name or story.job_result:
        yield f"- job: {code(story.job_name or 'without a name')}, {story.job_result or 'result not known'}"
    if ending is not None and ending.mend:
        yield f"- what to do: {code(ending.mend)}"
    if ending is not None and ending.what_to_do:
        yield f"- {'in general' if ending.mend else 'what to do'}: {ending.what_to_do}"
    if took(story):
        yield f"- from the agent's start to the end: {took(story)}"


def _happened(story: Story) -> Iterator[str]:
    rows = (
        (
            clock_time(each.at),
            f"{(each.at - story.began).total_seconds():+.3f} s",
            each.what,
            duration(each.seconds) if each.seconds is not None else "",
            code(each.detail),
        )
        for each in story.moments
    )
    yield from _table(("UTC", "since start", "what", "took", "detail"), rows)


def _phases(story: Story) -> Iterator[str]:
    if story.phases:
        rows = ((each.what, duration(each.seconds), each.meaning) for each in story.phases)
        yield from _table(("phase", "took", ""), rows)


def _figures(story: Story) -> Iterator[str]:
    if story.figures:
        yield from _table(("what", "value"), ((each.what, each.value) for each in story.figures))


def _warnings(story: Story) -> Iterator[str]:
    yield from (f"- {code(text)}" for text in story.warnings)
    if story.warnings_left_out:
        yield f"- and {story.warnings_left_out} more in the agent stream"


def _streams(story: Story) -> Iterator[str]:
    yield from (f"- {code(each.name)}: <{each.url}>" for each in story.streams)


def _block(lines: Sequence[str]) -> Iterator[str]:
    """Indented: nothing in it can end it, as a fence could be ended."""
    yield from (f"    {line}" for line in lines)


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Nothing where there is nothing to say."""
    found = list(lines)
    if found:
        yield from ("", f"## {name}", "", *found)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """In columns also for whoever reads the plain text; the last column is as wide as it is."""
    # Renderers do not agree on what an escaped bar is after a backslash.
    table = [tuple(cell.replace("|", r"\x7c") for cell in row) for row in rows]
    widths = [max(len(row[n]) for row in (tuple(head), *table)) for n in range(len(head) - 1)]
    yield _row(head, widths)
    yield _row(["-" * width for width in (*widths, 3)], widths)
    yield from (_row(row, widths) for row in table)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return f"| {' | '.join([*padded, cells[-1]])} |"


def code(text: str) -> str:
    """A code span, fenced by more backticks than there are in it."""
    if not text:
        return ""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    inner = f" {text} " if text.startswith("`") or text.endswith("`") else text
    return f"{fence}{inner}{fence}"
