"""What a user loses when these fail: the explorer in a real JupyterLab, in a real browser.

Run by ``make test-browser``, which brings Chromium and Playwright; skipped otherwise. Where
SIMLIB_SCREENSHOTS names a folder, pictures of the page are left there.
"""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from chromium import BROWSER, FLAGS, screenshot
from PIL import Image
from playwright.sync_api import expect, sync_playwright

TESTS = Path(__file__).parents[1]
OWN_FOLDERS = (
    "IPYTHONDIR JUPYTER_CONFIG_DIR JUPYTER_RUNTIME_DIR JUPYTERLAB_SETTINGS_DIR "
    "JUPYTERLAB_WORKSPACES_DIR"
).split()
MINUTES = 60_000  # milliseconds


NOTEBOOK = """
import simlib
from colour_names import ColourNames
from simlib.explorer.widgets import explore

image_df = simlib.load_catalogue("sample").sample(60, random_state=0)
image_df.loc[image_df.index[1], "title"] = "<img src=x onerror=document.title='taken'>"
image_df = simlib.embed(image_df, simlib.load_encoder("pixels", size=(16, 16)), progress=False)
image_df = simlib.embed(image_df, ColourNames(), progress=False)
explore(image_df, ["flattened_pixels", "colour_names"])
"""


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """The address of a notebook in a JupyterLab of its own, with nothing of the user's settings."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK.strip())])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "notebooks" / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {name: str(folder / name) for name in OWN_FOLDERS}
    extension = Path(own["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", "apputils-extension")
    extension.mkdir(parents=True)
    quiet = '{"fetchNews": "false", "checkForUpdates": false}'  # no network, no question
    (extension / "notification.jupyterlab-settings").write_text(quiet)
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--ip=127.0.0.1",
                "--allow-root",
                f"--port={port}",
                f"--IdentityProvider.token={token}",
                "--expose-app-in-browser",
                f"--ServerApp.root_dir={folder / 'notebooks'}",
            ],
            env=os.environ | own | {"PYTHONPATH": str(TESTS)},
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/api?token={token}", server, folder / "lab.log")
        yield f"{address}/doc/tree/explorer.ipynb?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(address, server, log, seconds=180):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start in {seconds} s: {log.read_text()}")


@pytest.fixture(scope="module")
def page(jupyterlab, tmp_path_factory):
    """The page with the notebook's cell run and the explorer shown."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=BROWSER,
            args=FLAGS,
            viewport={"width": 1280, "height": 1080},
        )
        page = context.pages[0]
        page.set_default_timeout(2 * MINUTES)
        expect.set_options(timeout=1 * MINUTES)
        page.goto(jupyterlab)
        page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady")
        page.evaluate(
            """async () => {
                const notebook = window.jupyterapp.shell.currentWidget;
                await notebook.sessionContext.ready;
                await window.jupyterapp.commands.execute("notebook:run-all-cells");
            }"""
        )
        page.locator(".simlib-explorer").wait_for()
        expect(status(page)).to_contain_text("among 60 pictures")
        yield page
        context.close()


def status(page):
    return page.get_by_role("status").filter(has_text="").last


def shelf(page, place):
    """The pictures of the grid (0) or of a strategy (1, 2)."""
    return page.locator(".simlib-shelf").nth(place).locator("button.simlib-picture")


def having(text):
    return re.compile(re.escape(text))


def query(page):
    return page.locator(".simlib-query img, .simlib-query blockquote")


def upload(page, path):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(path)


def screenshot_of(page, name):
    screenshot(page.locator(".simlib-explorer"), name)
    screenshot(page, f"{name}-page")


def test_every_picture_is_shown(page):
    """As a background, a picture that is missing would leave no trace but an empty area."""
    for place, count in ((0, 24), (1, 5), (2, 5)):
        expect(shelf(page, place)).to_have_count(count)
        broken = shelf(page, place).evaluate_all(
            """async buttons => {
                const drawn = async button => {
                    const image = new Image();
                    image.src = getComputedStyle(button).backgroundImage.slice(5, -2);
                    await image.decode();
                    return image.naturalWidth === 112 && button.clientWidth > 50;
                };
                return (await Promise.all(buttons.map(drawn))).filter(good => !good).length;
            }"""
        )
        assert broken == 0
    assert query(page).evaluate("image => image.naturalWidth") == 256
    screenshot_of(page, "first")


def test_a_click_on_a_neighbour_makes_it_the_query(page):
    chosen = shelf(page, 2).nth(1)
    similarity, title = chosen.inner_text().split("\n")
    assert 0.5 < float(similarity) <= 1
    facts = chosen.get_attribute("title")
    assert f"title: {title}" in facts and "colour: " in facts and "label: " in facts
    chosen.click()
    expect(query(page)).to_have_attribute("alt", f"Query: {title}")
    expect(status(page)).to_contain_text(f"Nearest to {title},")
    page.get_by_role("button", name="← Back").click()
    expect(query(page)).not_to_have_attribute("alt", f"Query: {title}")


def test_the_keyboard_chooses_a_picture_and_keeps_its_place(page):
    page.locator(".simlib-explorer").get_by_role("button", name="Next ›").focus()
    shelf(page, 1).first.focus()
    page.keyboard.press("Tab")
    expect(shelf(page, 1).nth(1)).to_be_focused()
    title = shelf(page, 1).nth(1).inner_text().split("\n")[1]
    page.keyboard.press("Enter")
    expect(query(page)).to_have_attribute("alt", f"Query: {title}")
    expect(shelf(page, 1).nth(1)).to_be_focused()


def test_the_slider_shows_more_neighbours(page):
    handle = page.locator(".simlib-explorer").get_by_role("slider")
    handle.focus()
    for k in (6, 7, 8):
        page.keyboard.press("ArrowRight")
        expect(shelf(page, 1)).to_have_count(k)
        expect(shelf(page, 2)).to_have_count(k)
    screenshot_of(page, "eight-neighbours")


def test_a_filter_narrows_the_grid_and_the_neighbours(page):
    dropdown = page.get_by_label("Colour")
    dropdown.select_option("red")
    expect(status(page)).to_contain_text("that pass the filter")
    for place in (0, 1, 2):
        expect(shelf(page, place).first).to_have_attribute("title", having("colour: red"))
    dropdown.select_option("any")
    expect(status(page)).to_contain_text("among 60 pictures")


def test_words_find_pictures_and_wrong_ones_a_sentence(page):
    words = page.get_by_label("Words")
    words.fill("no such thing")
    words.press("Enter")
    expect(status(page)).to_contain_text("unknown color")
    screenshot_of(page, "problem")
    words.fill("something red")
    words.press("Enter")
    expect(query(page)).to_have_text("something red")
    expect(shelf(page, 1)).to_have_count(0)
    expect(shelf(page, 2).first).to_have_attribute("title", having("colour: red"))
    screenshot_of(page, "words")


def test_this_one_but_blue(page):
    shelf(page, 0).nth(2).click()
    expect(query(page)).to_have_attribute("alt", re.compile("Query: "))
    words = page.get_by_label("Words")
    words.fill("blue")
    page.get_by_label("with the picture").check()
    expect(status(page)).to_contain_text("+ “blue”, among 60 pictures")
    expect(page.locator(".simlib-query img")).to_have_count(1)
    expect(page.locator(".simlib-query")).to_contain_text("together with")
    handle = page.get_by_role("slider").first
    handle.focus()
    page.keyboard.press("End")  # the words alone count
    expect(shelf(page, 2).first).to_have_attribute("title", having("colour: blue"))
    screenshot_of(page, "picture-and-words")
    page.get_by_label("with the picture").uncheck()
    expect(query(page)).to_have_text("blue")


def test_an_upload_and_a_path_become_the_query(page, tmp_path):
    Image.new("RGB", (300, 200), "blue").save(tmp_path / "blue.png")
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    upload(page, tmp_path / "bad.jpg")
    expect(status(page)).to_contain_text("'bad.jpg' could not be opened")
    upload(page, tmp_path / "blue.png")
    expect(query(page)).to_have_attribute("alt", "Query: blue.png")
    path = page.get_by_label("File or folder")
    path.fill(str(tmp_path / "nothing.png"))
    path.press("Enter")
    expect(status(page)).to_contain_text("there is no such file")
    path.fill(str(tmp_path))
    path.press("Enter")
    expect(shelf(page, 0)).to_have_count(2)
    screenshot_of(page, "folder")
    page.get_by_role("button", name="Back to the catalogue").click()
    expect(shelf(page, 0)).to_have_count(24)


def test_html_in_a_title_is_text(page):
    shelf(page, 0).nth(1).click()
    expect(status(page)).to_contain_text("<img src=x")
    assert page.evaluate("document.title") != "taken"
    assert page.locator(".simlib-explorer img[src=x]").count() == 0
