"""`make ui-check`: the pages that `make ui` opens, in a real browser."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route

from agent.demo.play import CACHE_TOKEN
from deployments.ui.__main__ import SHOWN
from tests.browser import chromium, page
from tests.deployments.ui.open_ui import OpenUi

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]

ARTIFACT, SAYS = "report", "What happened"
"""The key of an artifact that a served run has, and what can be read in it."""
SERVED, FAILED, INTERRUPTED = SHOWN
STATES = {SERVED: "Completed", FAILED: "Failed", INTERRUPTED: "Failed"}
LAST_LINES = {
    SERVED: "run.ended reason=job_served",
    FAILED: "run.ended reason=download_failed",
    INTERRUPTED: "run.ended reason=spot_notice",
}
NOT_THERE = ("/favicon.ico", "/favicon-dark.ico", "/ico/undefined.svg")
"""Prefect's own pages ask for them, and Prefect's own server does not have them."""
SCREENSHOT = os.environ.get("SCREENSHOT")
PICTURE_BYTES = 200_000
TASK_STATES = {SERVED: "Completed", FAILED: "Failed", INTERRUPTED: "Completed"}
NAMES = {
    SERVED: "verify runner 2.336.0 from github",
    FAILED: "download runner latest",
    INTERRUPTED: "execute on runs-fleet-runner-i-",
}
FIRST_LINES = {
    SERVED: "runner.verified",
    FAILED: "Retry 1/3 will start",
    INTERRUPTED: "runner.verified",
}
COLOURS = {"Completed": "green", "Failed": "red"}
LOOKS, LOOK_MS = 60, 250
BAR_PIXELS = 500
BAR = """async ([png, colour]) => {
    const bytes = Uint8Array.from(atob(png), c => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
    const flat = new OffscreenCanvas(image.width, image.height).getContext("2d");
    flat.drawImage(image, 0, 0);
    const {data} = flat.getImageData(0, 0, image.width, image.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
        found += colour === "green" ? g > r + 80 && g > b + 40 : r > g + 120 && r > b + 120;
    }
    return found;
}"""
"""Pixels that are as green or as red as Prefect paints a task."""


@pytest.fixture(scope="module")
def ui() -> Iterator[OpenUi]:
    chromium()
    with OpenUi() as opened:
        yield opened


@contextmanager
def flow_run(ui: OpenUi, scenario: str, *, dark: bool = False) -> Iterator[Page]:
    """The page of the agent's flow run; nothing that it asks for leaves this machine."""
    outside: list[str] = []

    def pass_on(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in {"http", "https", "ws", "wss"} and url.hostname != "127.0.0.1":
            outside.append(route.request.url)
            route.abort()
        elif url.path in NOT_THERE:
            route.fulfill(status=204)
        else:
            route.continue_()

    with page(dark=dark) as opened:
        opened.add_init_script(
            f"localStorage.setItem('color-scheme', '\"{'dark' if dark else 'light'}\"')"
        )
        opened.route("**/*", pass_on)
        opened.goto(ui.pages[scenario, "run_job"].url)
        opened.get_by_text("job on i-").first.wait_for()
        yield opened
    assert outside == []


def tab(opened: Page, name: str) -> None:
    opened.get_by_role("tab", name=name).or_(opened.get_by_text(name, exact=True)).first.click()


def follow(opened: Page, text: str) -> None:
    """Opens a link as in a new window: Prefect's graph, still moving, stumbles when its page is left by a click."""
    to = opened.locator("a", has_text=text).first.get_attribute("href")
    assert to is not None
    opened.goto(urljoin(opened.url, to))


def shows_bar(opened: Page, state: str) -> bool:
    """Whether the graph, which is a canvas, has an area in the colour of the state."""
    graph = opened.locator("canvas").first
    graph.wait_for()
    for _ in range(LOOKS):
        shot = base64.b64encode(graph.screenshot()).decode()
        if opened.evaluate(BAR, [shot, COLOURS[state]]) > BAR_PIXELS:
            return True
        opened.wait_for_timeout(LOOK_MS)
    return False


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scenario", SHOWN)
def test_the_page_of_a_run_shows_its_graph_its_lines_and_its_tasks(
    ui: OpenUi, scenario: str, *, dark: bool
) -> None:
    with flow_run(ui, scenario, dark=dark) as opened:
        assert opened.evaluate("document.documentElement.className") == (
            "dark" if dark else "light"
        )
        opened.get_by_text(STATES[scenario], exact=True).first.wait_for()
        assert shows_bar(opened, TASK_STATES[scenario])
        opened.get_by_text(FIRST_LINES[scenario]).first.wait_for()
        tab(opened, "Task Runs")
        opened.get_by_text(NAMES[scenario]).first.wait_for()


@pytest.mark.parametrize("scenario", SHOWN)
def test_the_run_has_every_line_of_the_agent_up_to_its_end(ui: OpenUi, scenario: str) -> None:
    lines = ui.lines(scenario)
    for wanted in (LAST_LINES[scenario], "message.sent", "instance.terminating"):
        assert any(wanted in line for line in lines), wanted


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_artifact_is_there_and_can_be_read(ui: OpenUi, *, dark: bool) -> None:
    with flow_run(ui, SERVED, dark=dark) as opened:
        tab(opened, "Artifacts")
        follow(opened, ARTIFACT)
        opened.get_by_text(SAYS).first.wait_for()


def test_the_tries_of_a_download_that_fails_can_be_counted(ui: OpenUi) -> None:
    tries = [line for line in ui.lines(FAILED) if "DownloadError" in line and "Retry" in line]
    assert len(tries) == 3
    with flow_run(ui, FAILED) as opened:
        tab(opened, "Task Runs")
        follow(opened, NAMES[FAILED])
        opened.get_by_text("Retry 3/3 will start").first.wait_for()
        opened.get_by_text("Run Count").first.wait_for()
        assert "Run Count\n4" in opened.inner_text("body")


def test_no_secret_of_the_job_is_on_the_server(ui: OpenUi) -> None:
    said = json.dumps([ui.asked(f"{kind}/filter") for kind in ("logs", "flow_runs", "task_runs", "artifacts")])  # fmt: skip
    assert "runner.registered" in said
    assert CACHE_TOKEN not in said


@pytest.mark.skipif(SCREENSHOT is None, reason="make ui-check SCREENSHOT=1")
def test_the_picture_for_the_docs_is_taken(ui: OpenUi) -> None:
    assert SCREENSHOT is not None
    with flow_run(ui, SERVED) as opened:
        assert shows_bar(opened, "Completed")
        opened.get_by_text(FIRST_LINES[SERVED]).first.wait_for()
        opened.screenshot(path=SCREENSHOT)
    assert Path(SCREENSHOT).stat().st_size < PICTURE_BYTES


def test_ctrl_c_ends_all_that_was_started(ui: OpenUi) -> None:
    """The last one: there is nothing to look at afterwards."""
    assert ui.end() == 0
    with pytest.raises(httpx.ConnectError):
        ui.asked("flow_runs/filter")
