"""What a user loses when these fail: a report that opens as it should, in a real browser.

Run by ``make test-browser``, which brings Chromium and Playwright; skipped otherwise. Where
SIMLIB_SCREENSHOTS names a folder, pictures of the page are left there.
"""

import numpy as np
import pandas as pd
import pytest
from chromium import launched, noted_pages, screenshot

import simlib

NASTY = "<img src=http://example.org/x onerror=document.title='taken'>"
LONG = "an_embedding_of_a_network_with_a_very_long_name_that_no_phone_has_room_for" * 2


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report with everything in it: labels, three embeddings, a missing picture, a copy."""
    image_df = simlib.load_catalogue("sample").groupby("category").head(6).head(90)
    image_df = pd.concat([image_df, image_df.iloc[[3, 3]]], ignore_index=True)
    image_df.loc[5, "img_path"] = f"gone/{NASTY}.jpg"
    image_df["category"] = image_df["category"].replace(image_df["category"].iloc[0], NASTY)
    image_df = simlib.embed(image_df, simlib.load_encoder("pixels", size=(16, 16)), progress=False)
    rng = np.random.default_rng(0)
    for name in ("own", LONG):
        image_df[name] = list(rng.normal(size=(len(image_df), 8)).astype(np.float32))
    folder = tmp_path_factory.mktemp("report")
    return simlib.report(image_df, path=folder / "report.html", progress=False)


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser, path):
    """Open the report on a screen; what the browser asks for and complains of is noted."""
    with noted_pages(browser) as new_page:

        def open_on(width, height=900, **options):
            page = new_page(width, height, **options)
            page.on("console", lambda message: page.complaints.append(message.text))
            page.goto(path.as_uri(), wait_until="load")
            return page

        yield open_on


def screenshot_of(page, name):
    screenshot(page, f"report-{name}", full_page=True)


def test_it_asks_for_nothing_shows_every_picture_and_runs_nothing(opened, path):
    page = opened(1280)
    assert [url for url in page.asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.complaints == []
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 100 and min(widths) > 0
    assert page.evaluate("[...document.images].every(image => image.alt.length > 3)")
    assert page.title() == "Image search report"
    assert NASTY in page.locator("main").inner_text()
    screenshot_of(page, "wide")


def test_its_links_lead_to_its_sections(opened):
    page = opened(1280, 600)
    for link in page.get_by_role("navigation").get_by_role("link").all():
        link.click()
        heading = page.get_by_role("heading", name=link.inner_text(), level=2)
        assert heading.evaluate("it => Math.abs(it.getBoundingClientRect().top) < innerHeight")


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_nothing_lies_beside_the_screen(opened, width):
    page = opened(width, 700, device_scale_factor=2, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("visualViewport.width") == width  # a browser would shrink what is wider
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("img, p, h1, h2, h3, h4, .scroll")]
            .filter(it => it.getBoundingClientRect().right > innerWidth + 1)
            .map(it => it.outerHTML.slice(0, 80))"""
    )
    assert beyond == []
    small = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll("p, figcaption, td, th")]
            .map(it => parseFloat(getComputedStyle(it).fontSize)))"""
    )
    assert small >= 12
    screenshot_of(page, f"phone-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_by_day_and_by_night(opened, scheme):
    """At least 4.5 to 1, as WCAG 2.2 asks (https://www.w3.org/TR/WCAG22/#contrast-minimum)."""
    page = opened(800, color_scheme=scheme)
    colours = page.evaluate(
        """() => {
            const numbers = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const ground = numbers(getComputedStyle(document.body).backgroundColor);
            return ["p", "h1", "a", ".faint", "figcaption", "td"].map(name => [
                name, numbers(getComputedStyle(document.querySelector(name)).color), ground]);
        }"""
    )
    for name, text, ground in colours:
        lightness = []
        for colour in (text, ground):
            share = np.array(colour) / 255
            linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
            lightness.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
        assert max(lightness) / min(lightness) >= 4.5, (name, text, ground)
    assert (np.mean(colours[0][2]) < 128) == (scheme == "dark")
    screenshot_of(page, scheme)
