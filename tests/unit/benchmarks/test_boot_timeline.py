"""The picture of a boot."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.boot.boot import Span
from benchmarks.boot.timeline import timeline

SVG = "{http://www.w3.org/2000/svg}"
SPANS = [
    Span("tasks", "verify <runner>", 2.0, 2.5),
    Span("agent", "guardian", 0.0, 0.5),
    Span("runner", "job", 2.5, 60.0),
    Span("tasks", "terminate", 61.0, 62.0),
]


@pytest.fixture
def picture() -> ET.Element:
    return ET.fromstring(timeline("A & B", SPANS, until=4.0))  # noqa: S314 - our own


def test_every_span_that_began_in_time_is_a_bar(picture: ET.Element) -> None:
    texts = [text.text or "" for text in picture.iter(f"{SVG}text")]
    assert any("verify <runner>  0.50 s" in text for text in texts)
    assert not any("terminate" in text for text in texts)


def test_bars_begin_where_their_seconds_are_and_end_with_the_picture(picture: ET.Element) -> None:
    bars = [rect for rect in picture.iter(f"{SVG}rect") if "fill" in rect.attrib]
    starts = [float(bar.attrib["x"]) for bar in bars]
    assert starts == sorted(starts)
    width = float(picture.attrib["viewBox"].split()[2])
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) < width for bar in bars)


def test_the_picture_needs_nothing_from_outside_and_has_a_dark_side() -> None:
    text = timeline("A", SPANS, until=4.0)
    assert "<script" not in text
    assert text.count("http") == 1, "the name space alone"
    assert "prefers-color-scheme: dark" in text
