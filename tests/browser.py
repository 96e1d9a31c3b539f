"""Pages in a real browser: Debian's Chromium, driven by playwright, failing a test on anything that the page's console calls an error."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

HEIGHT = 900
LIMIT_MS = 20_000


def chromium() -> Path:
    """The browser; skips the test where there is none."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no Chromium here: make tools")
    return Path(found)


@contextmanager
def page(*, dark: bool = False, width: int = 1280) -> Iterator[Page]:
    """An empty page of a browser of its own.

    Args:
        dark: what `prefers-color-scheme` says.
        width: of the window, in CSS pixels.

    Raises:
        AssertionError: at the end, when the page's console showed an error, or a script of it failed.
    """
    browser_file = chromium()
    wrong: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"{message.text} ({message.location.get('url', '')})")

    # A profile of its own: Chromium leaves locks behind in a shared one.
    with TemporaryDirectory(prefix="chromium-") as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_file,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            env={"HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            timeout=LIMIT_MS,
        )
        try:
            opened = browser.new_page(
                color_scheme="dark" if dark else "light",
                viewport={"width": width, "height": HEIGHT},
                accept_downloads=False,
            )
            opened.set_default_timeout(LIMIT_MS)
            opened.on("console", listen)
            opened.on("pageerror", lambda error: wrong.append(str(error)))
            yield opened
        finally:
            browser.close()
    assert not wrong, "the page's console shows: " + "; ".join(wrong)
