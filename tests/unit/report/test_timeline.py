from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent.journal.progress import Progress
from agent.report.plain import clock_time, moment
from agent.report.spans import spans
from agent.report.timeline import WIDTH, timeline
from tests.unit.report.told import BEGAN, journal, said, story


@given(st.integers(1, len(journal())), st.floats(0, 100_000))
def test_every_bar_stands_inside_its_lane_wherever_a_run_stopped(count: int, job: float) -> None:
    drawn = timeline(story(journal(job_seconds=job)[:count], said()[:4]))
    bars = [bar for _, lane in drawn.lanes for bar in lane]
    assert bars
    assert all(bar.left >= 0 and bar.width > 0 and bar.left + bar.width <= WIDTH for bar in bars)
    assert list(drawn.borders) == sorted(drawn.borders)


def test_a_boot_of_seconds_shows_beside_a_job_of_hours() -> None:
    drawn = timeline(story(journal(job_seconds=21_600), said()))
    assert [part.name for part in drawn.parts] == ["start", "job", "end"]
    widths = {lane: sum(bar.width for bar in bars) for lane, bars in drawn.lanes}
    assert widths["download"] > 20
    assert widths["terminate"] > 50


def test_bars_of_one_lane_follow_each_other() -> None:
    lanes = dict(timeline(story()).lanes)
    waits, works = lanes["job"]
    assert (waits.span.kind, works.span.kind) == ("wait", "job")
    assert abs(waits.left + waits.width - works.left) < 0.01


@given(st.lists(st.floats(-5000, 5000), min_size=len(journal()), max_size=len(journal())))
def test_a_wall_clock_that_jumps_draws_no_bar_backwards(jumps: list[float]) -> None:
    def jumped(text: str, by: float) -> str:
        at = moment(text) + timedelta(seconds=by)
        return f"{at:%Y-%m-%d}T{clock_time(at)}Z"

    known = tuple(
        replace(fact, at=jumped(fact.at, by)) for fact, by in zip(journal(), jumps, strict=True)
    )
    told = story(known)
    assert all(span.began <= span.ended for span in told.spans)
    bars = [bar for _, lane in timeline(told).lanes for bar in lane]
    assert all(bar.left >= 0 and bar.left + bar.width <= WIDTH for bar in bars)


def test_without_anything_that_took_time_there_is_nothing_to_draw() -> None:
    assert spans(Progress(), (), BEGAN) == ()
