"""The page in Chromium: light and dark, wide and narrow."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from agent.report.html import page as made
from tests.browser import page
from tests.unit.report.hostile import EVERYTHING
from tests.unit.report.told import at, journal, said, story

WIDTHS = (1280, 390)

LOWEST_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgb(colour)[3] === 255) return colour;
    }
    return getComputedStyle(document.documentElement).colorScheme === 'dark' ? '#000' : '#fff';
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = {contrast: 99, text: ''}, count = 0;
  while (walk.nextNode()) {
    const text = walk.currentNode, element = text.parentElement;
    if (!text.textContent.trim() || !element.getClientRects().length || element.closest('svg')) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(behind(element)))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    count += 1;
    if (contrast < worst.contrast) worst = {contrast, text: text.textContent};
  }
  return {...worst, count};
}"""
BARS_OUTSIDE = """() => [...document.querySelectorAll('.row svg')].flatMap(lane => {
  const outer = lane.getBoundingClientRect();
  return [...lane.querySelectorAll('rect')].map(bar => bar.getBoundingClientRect())
    .filter(bar => bar.left < outer.left - 0.5 || bar.right > outer.right + 0.5 ||
      bar.top < outer.top || bar.bottom > outer.bottom || bar.width < 1);
}).length"""
TOO_WIDE = """() => [...document.querySelectorAll('body *')].filter(each => !each.closest('svg'))
  .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that has everything on it, from a job that means harm."""
    lines = [*said(), f"{at(5)} WARNING agent.x cache.skipped error={'x' * 200}"]
    known = journal(job_name=EVERYTHING, detail=f"{EVERYTHING} {'w' * 300}", job_seconds=21_600)
    written = tmp_path_factory.mktemp("page") / "report.html"
    whole, unfinished = story(known, lines, runner_said=(EVERYTHING,)), story(known[:9])
    written.write_text(made([whole, unfinished]), encoding="utf-8")
    return written


def look(opened: Page, file: Path) -> dict[str, Any]:
    requests: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(file.as_uri())
    seen = {"background": opened.evaluate("getComputedStyle(document.body).backgroundColor")}
    for width in WIDTHS:
        opened.set_viewport_size({"width": width, "height": 900})
        seen[str(width)] = {
            "scroll": opened.evaluate("document.documentElement.scrollWidth"),
            "too wide": opened.evaluate(TOO_WIDE),
            "bars outside": opened.evaluate(BARS_OUTSIDE),
            "contrast": opened.evaluate(LOWEST_CONTRAST),
        }
    return {**seen, "requests": requests, "bars": opened.locator(".row rect").count()}


@pytest.mark.parametrize(("dark", "background"), [(False, "rgb(255, 255, 255)"), (True, "rgb(13, 17, 23)")])  # fmt: skip
def test_the_page_looks_right_in_a_browser(dark: bool, background: str, file: Path) -> None:  # noqa: FBT001
    with page(dark=dark) as opened:
        seen = look(opened, file)
    assert seen["background"] == background
    assert seen["requests"] == [file.as_uri()]
    assert seen["bars"] > 12
    for width in WIDTHS:
        there = seen[str(width)]
        assert there["scroll"] == width
        assert there["too wide"] == []
        assert there["bars outside"] == 0
        assert there["contrast"]["count"] > 100
        assert there["contrast"]["contrast"] >= 4.5, there["contrast"]
