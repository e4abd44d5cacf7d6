"""A real browser for the tests of this folder; whoever imports this is skipped where there is none.

Where SIMLIB_SCREENSHOTS names a folder, :func:`screenshot` leaves pictures there.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-quic"
).split()

if not os.environ.get("SIMLIB_BROWSER_TESTS"):
    pytest.skip("SIMLIB_BROWSER_TESTS is not set; use: make test-browser", allow_module_level=True)
pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test-browser")
BROWSER = os.environ.get("SIMLIB_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
if BROWSER is None:
    pytest.skip("there is no Chromium; SIMLIB_BROWSER names one", allow_module_level=True)

from playwright.sync_api import sync_playwright  # noqa: E402


@contextmanager
def launched():
    """A browser that is closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def noted_pages(browser):
    """A function that opens an empty page, on which is noted what it asks for and complains of."""
    contexts = []

    def new_page(width, height, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    yield new_page
    for context in contexts:
        context.close()


def screenshot(shown, name, **options):
    """Leave a picture of a page, or of a part of one, if a folder is named for them."""
    if folder := os.environ.get("SIMLIB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=Path(folder) / f"{name}.png", **options)
