"""The story as one page that stands by itself: no script, no font, no style and no picture from anywhere else."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from agent.report.markdown import about, title, took
from agent.report.plain import clock_time, duration
from agent.report.story import Moment, Story
from agent.report.style import STYLE
from agent.report.timeline import WIDTH, Bar, Timeline, timeline

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: show it. Not even an element that slipped in could load or run anything."""
_CODE = re.compile(r"`([^`]+)`")


def page(stories: Sequence[Story]) -> str:
    """One page with an article for each story. Whatever is in them is text on it, never markup."""
    name = title(stories[0]) if len(stories) == 1 else f"{len(stories)} instances of run {stories[0].run_id}"  # fmt: skip
    articles = "\n".join("\n".join(_article(story)) for story in stories)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(name)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{articles}
</main>
</body>
</html>
"""


def _article(story: Story) -> Iterator[str]:
    yield "<article>"
    yield f"<h1>{escape(title(story))}</h1>"
    yield from _why(story)
    yield from _section("Run", _about(story))
    yield from _section("Timeline", _timeline(timeline(story)))
    yield from _section("What happened", _happened(story))
    yield from _section("The boot", _boot(story))
    yield from _section("Sizes and peaks", _figures(story))
    yield from _section("Last lines of the runner", _said(story))
    yield from _section("Warnings", _list(_warnings(story)))
    yield from _section("Still owed", _list(escape(what) for what in story.owed))
    yield from _section("Log streams", _list(_streams(story)))
    yield f'<p class="quiet">From {_foreign(story.source)}.</p>'
    yield "</article>"


def _why(story: Story) -> Iterator[str]:
    ending = story.ending
    served = " served" if ending is not None and ending.served else ""
    yield f'<div class="why{served}">'
    if ending is None:
        yield f"<p><strong>How it ended is not known.</strong> The last that was heard of it: {clock_time(story.last_seen)} UTC.</p>"
    else:
        meaning = ending.meaning or "This outcome is of a newer agent than this one."
        yield f"<p><strong>{_ours(meaning)}</strong></p>"
        if ending.detail:
            yield f"<p>{_foreign(ending.detail)}</p>"
    if story.job_name or story.job_result:
        result = escape(story.job_result) or "result not known"
        yield f"<p>Job <b>{_foreign(story.job_name or 'without a name')}</b>: {result}</p>"
    if ending is not None and ending.mend:
        yield f"<p>What to do: {_foreign(ending.mend)}</p>"
    if ending is not None and ending.what_to_do:
        yield f"<p>{'In general' if ending.mend else 'What to do'}: {_ours(ending.what_to_do)}</p>"
    if took(story):
        yield f'<p class="quiet">{took(story)} from the agent\'s start to the end</p>'
    yield "</div>"


def _about(story: Story) -> Iterator[str]:
    yield "<dl>"
    yield from (f"<div><dt>{escape(n)}</dt><dd>{_foreign(v)}</dd></div>" for n, v in about(story))
    yield "</dl>"


def _timeline(drawn: Timeline) -> Iterator[str]:
    if not drawn.lanes:
        return
    heads = "".join(
        f'<span class="s{part.share}">{part.name} {duration(part.seconds)}</span>'
        for part in drawn.parts
    )
    yield f'<div class="parts"><b></b><div>{heads}</div><b></b></div>'
    borders = "".join(
        f'<line class="border" x1="{at:.2f}" x2="{at:.2f}" y1="0" y2="20"/>' for at in drawn.borders
    )
    for lane, bars in drawn.lanes:
        said = "; ".join(f"{bar.span.what}: {duration(bar.span.seconds)}" for bar in bars)
        yield (
            f'<div class="row"><span>{escape(lane)}</span>'
            f'<svg viewBox="0 0 {WIDTH:g} 20" preserveAspectRatio="none" role="img" aria-label="{escape(said)}">'
            f"{borders}{''.join(map(_bar, bars))}</svg>"
            f'<span class="took">{duration(sum(bar.span.seconds for bar in bars))}</span></div>'
        )
    yield '<p class="quiet">Each part is drawn to a scale of its own; what is light blue ran beside, and nobody waited for it.</p>'


def _bar(bar: Bar) -> str:
    tip = escape(f"{bar.span.what}: {duration(bar.span.seconds)}")
    return (
        f'<rect class="{bar.span.kind}" x="{bar.left:.2f}" y="3" width="{bar.width:.2f}" height="14">'
        f"<title>{tip}</title></rect>"
    )


def _happened(story: Story) -> Iterator[str]:
    heads = '<th>UTC</th><th class="n">since start</th><th>what</th><th class="n">took</th><th>detail</th>'  # fmt: skip
    yield f'<table class="happened"><thead><tr>{heads}</tr></thead><tbody>'
    yield from (_row(story, each) for each in story.moments)
    yield "</tbody></table>"


def _row(story: Story, each: Moment) -> str:
    since = f"{(each.at - story.began).total_seconds():+.3f} s"
    seconds = duration(each.seconds) if each.seconds is not None else ""
    return (
        f'<tr><td class="at">{clock_time(each.at)}</td><td class="n at">{since}</td>'
        f'<td class="name">{escape(each.what)}</td><td class="n">{seconds}</td><td class="quiet">{_foreign(each.detail)}</td></tr>'
    )


def _boot(story: Story) -> Iterator[str]:
    if story.phases:
        rows = (
            f'<tr><td class="name">{escape(each.what)}</td><td class="n">{duration(each.seconds)}</td><td class="quiet">{escape(each.meaning)}</td></tr>'
            for each in story.phases
        )
        yield f"<table><tbody>{''.join(rows)}</tbody></table>"


def _figures(story: Story) -> Iterator[str]:
    if story.figures:
        rows = (
            f'<tr><td>{_ours(each.what)}</td><td class="n">{escape(each.value)}</td></tr>'
            for each in story.figures
        )
        yield f"<table><tbody>{''.join(rows)}</tbody></table>"


def _said(story: Story) -> Iterator[str]:
    if story.runner_said:
        yield f"<pre>{chr(10).join(map(_foreign, story.runner_said))}</pre>"


def _warnings(story: Story) -> Iterator[str]:
    yield from (f"<code>{_foreign(text)}</code>" for text in story.warnings)
    if story.warnings_left_out:
        yield f"and {story.warnings_left_out} more in the agent stream"


def _streams(story: Story) -> Iterator[str]:
    for each in story.streams:
        yield f'<a href="{escape(each.url)}" rel="noreferrer">{_foreign(each.name)}</a>'


def _list(items: Iterable[str]) -> Iterator[str]:
    found = list(items)
    if found:
        yield f"<ul>{''.join(f'<li>{item}</li>' for item in found)}</ul>"


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Nothing where there is nothing to show."""
    found = list(lines)
    if found:
        yield from (f"<section><h2>{name}</h2>", *found, "</section>")


def _foreign(text: str) -> str:
    """Text that a job may have chosen: escaped, and its direction kept to itself."""
    return f"<bdi>{escape(text)}</bdi>" if text else ""


def _ours(text: str) -> str:
    """A sentence of this program, with its code marked."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
