import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from agent.report.html import POLICY, page
from agent.report.style import STYLE
from tests.unit.report.hostile import EVERYTHING, HOSTILE
from tests.unit.report.told import at, journal, said, story


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_page(name: str) -> Elements:
    lines = [*said(), f"{at(5)} WARNING agent.x cache.skipped error={name}"]
    return Elements(
        page([story(journal(job_name=name, detail=name, mend=name), lines, runner_said=(name,))])
    )


@pytest.mark.parametrize("name", [*HOSTILE, EVERYTHING])
def test_whatever_a_job_is_called_is_text_on_the_page(name: str) -> None:
    assert hostile_page(name).elements == hostile_page("tame").elements


def test_the_name_stands_there_for_everyone_to_read() -> None:
    assert "<script>alert(1)</script>" in hostile_page("<script>alert(1)</script>").text


def test_no_bidirectional_or_control_character_reaches_the_page() -> None:
    text = page([story(journal(job_name=EVERYTHING, detail=EVERYTHING, mend=EVERYTHING))])
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    text.encode()


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    shown = Elements(page([story(journal(), said())]))
    kinds = {tag for tag, _ in shown.elements}
    assert not kinds & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not any(name.startswith("on") or name == "style" for _, names in shown.elements for name in names)  # fmt: skip
    assert all(link.startswith("https://eu-central-1.console.aws.amazon.com/") for link in shown.links)  # fmt: skip
    assert not re.search(r"url\(|@import", STYLE)


def test_the_policy_lets_a_browser_do_nothing_but_show_it() -> None:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" == POLICY  # fmt: skip
    text = page([story()])
    assert re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1] == STYLE  # type: ignore[index]
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_several_instances_of_a_run_are_on_one_page() -> None:
    text = page([story(), story(journal()[:5])])
    assert text.count("<article>") == 2
    assert "<title>2 instances of run 4711</title>" in text
