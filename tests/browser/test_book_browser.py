"""What a reader of the book loses when these fail: a site that works, in a real browser.

Run by ``make test-browser``, which brings Chromium and Playwright; skipped otherwise. Both
editions are built first, into book/build/site, and printed. Where SIMLIB_SCREENSHOTS names a
folder, pictures of some pages are left there.
"""

import functools
import http.server
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import launched, noted_pages, screenshot

ROOT = Path(__file__).parents[2]
SITE = ROOT / "book" / "build" / "site"
# One page of each kind.
SOME = [
    "index", "notebooks/00_setup_and_data", "notebooks/05_choosing_an_embedding",
    "notebooks/06_scaling_with_milvus", "notebooks/solutions/03_solutions", "how/own_vectors",
    "reference", "reference/simlib.nearest", "data/README", "SECURITY", "cite", "search",
]  # fmt: skip
# And of the Chinese edition: those with most that is Chinese.
CHINESE = [
    "zh/index", "zh/notebooks/04_image_text_clip", "zh/notebooks/05_choosing_an_embedding",
    "zh/notebooks/GLOSSARY", "zh/notebooks/solutions/03_solutions", "zh/how/million",
    "zh/reference", "zh/reference/simlib.nearest", "zh/search",
]  # fmt: skip
LOADS = {"link": "href", "object": "data"}
LOADS |= dict.fromkeys(["audio", "embed", "iframe", "img", "script", "source", "video"], "src")


class Page(HTMLParser):
    """What a page loads, where it leads, its anchors, and its pictures without a text."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.anchors, self.mute = [], [], {"", "top"}, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        # Those links are read by programs, not loaded.
        if tag in LOADS and found.get("rel") not in ("canonical", "alternate"):
            self.loads.append(found.get(LOADS[tag]) or "")
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "img" and not found.get("alt"):
            self.mute.append(found.get("src"))


@pytest.fixture(scope="module")
def pages():
    tool = ROOT / "tools" / "book.py"
    subprocess.run([sys.executable, tool, "--language", "en", "zh", "--pdf"], check=True)
    found = {path: Page(path) for path in SITE.rglob("*.html")}
    assert len(found) > 100
    return found


@pytest.fixture(scope="module")
def address(pages):
    """The site on a server of this machine, below a folder as on GitHub Pages."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/simlib"))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=SITE)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simlib/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser, address):
    with noted_pages(browser) as new_page:

        def open_page(name, width=1280, height=900, **options):
            page = new_page(width, height, **options)
            page.on("response", lambda it: it.ok or page.complaints.append(f"{it.status} {it.url}"))
            page.goto(f"{address}{name}", wait_until="load")
            return page

        yield open_page


def screenshot_of(page, name):
    screenshot(page, f"book-{name.replace('/', '-')}")


def test_no_page_loads_anything_from_elsewhere(pages):
    from_elsewhere = {
        (path.name, url)
        for path, page in pages.items()
        for url in page.loads
        if urlsplit(url).netloc
    }
    assert from_elsewhere == set()


def test_every_link_within_the_site_leads_somewhere(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                broken.append((path.relative_to(SITE).as_posix(), link))
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append((path.relative_to(SITE).as_posix(), link))
    assert broken == []


def test_every_picture_has_an_alt_text(pages):
    mute = {(path.name, src) for path, page in pages.items() for src in page.mute}
    assert mute == set()


@pytest.mark.parametrize("name", SOME + CHINESE)
def test_a_page_opens_without_a_complaint_and_asks_nobody_else(opened, address, name):
    page = opened(f"{name}.html")
    page.wait_for_timeout(500)  # what a script asks for later
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith((address, "data:", "blob:"))] == []
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert min(widths, default=1) > 0
    screenshot_of(page, name)


@pytest.mark.parametrize(
    ("edition", "word", "found"),
    [
        ("", "contrastive", "03"),
        ("", "set_embeddings", "set_embeddings"),
        ("zh/", "近似检索", "一百万张"),
        ("zh/", "对比", "度量学习"),
        ("zh/", "embed_folder", "一百万张"),
    ],
)
def test_search_finds(opened, edition, word, found):
    page = opened(f"{edition}search.html?q={word}")
    page.wait_for_selector("#search-results li")
    results = page.locator("#search-results li a").all_inner_texts()
    assert any(found in result for result in results), results


@pytest.mark.parametrize("name", SOME)
def test_the_language_switch_leads_to_the_same_page_and_back(opened, address, name):
    page = opened(f"{name}.html")
    page.locator("a[hreflang=zh-CN]").first.click()
    assert page.url.partition("?")[0] == f"{address}zh/{name}.html"
    assert page.evaluate("document.documentElement.lang").lower().startswith("zh")
    page.locator("a[hreflang=en]").first.click()
    assert page.url.partition("?")[0] == f"{address}{name}.html"
    assert page.complaints == []


@pytest.mark.parametrize("name", SOME + CHINESE)
def test_on_a_phone_nothing_lies_beside_the_screen(opened, name):
    page = opened(f"{name}.html", 390, 800, device_scale_factor=2, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("visualViewport.width") == 390  # a browser would shrink what is wider
    screenshot_of(page, f"phone-{name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SOME + CHINESE)
def test_axe_finds_nothing_serious(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    # A button that is still on its way from one scheme's colour to the other's has neither.
    page = opened(f"{name}.html", color_scheme=scheme, reduced_motion="reduce")
    theme = page.evaluate("document.documentElement.dataset.theme")
    assert theme == scheme
    violations = axe.Axe().run(page).response["violations"]
    serious = [
        (violation["id"], [node["html"][:100] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    screenshot_of(page, f"{scheme}-{name}")


@pytest.mark.parametrize(("edition", "title"), [("", "Solution"), ("zh/", "参考答案")])
def test_a_solution_is_folded_until_it_is_opened_by_mouse_or_keyboard(opened, edition, title):
    page = opened(f"{edition}notebooks/solutions/03_solutions.html")
    first, second = page.locator("details.solution").all()
    headings, questions = page.locator("article h2").all(), page.locator("article h2 + p").all()
    assert len(headings) == len(questions) == 2
    assert all(shown.is_visible() for shown in headings + questions)
    hidden = [details.locator(".cell_input").first for details in (first, second)]
    assert [code.is_visible() for code in hidden] == [False, False]
    assert first.locator("summary").inner_text() == title
    first.locator("summary").click()
    assert [code.is_visible() for code in hidden] == [True, False]
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    assert [code.is_visible() for code in hidden] == [True, True]
    assert page.locator("article section > .cell:has(.tag_check)").count() == 0  # all are folded
    screenshot_of(page, f"{edition}opened-solutions")


def test_what_is_folded_is_unfolded_on_paper(opened):
    page = opened("notebooks/solutions/03_solutions.html")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("article details:not([open])").count() == 0


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_on_paper_every_link_leads_to_one_place_and_nothing_is_folded(pages, edition):
    path = ROOT / "book" / "build" / "printed" / edition / "index.html"
    text, page = path.read_text(encoding="utf-8"), Page(path)
    anchors = re.findall(r'<[^>]*\bid="([^"]+)"', text)
    assert len(anchors) == len(set(anchors))
    within = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert len(within) > 100 and set(within) <= page.anchors
    elsewhere = [link for link in page.links if not link.startswith("#")]
    assert all(urlsplit(link).scheme in ("https", "mailto") for link in elsewhere)
    assert "<details>" not in text and text.count("<details open") > 40


@pytest.mark.parametrize("edition", ["", "zh/"])
def test_the_book_is_there_as_a_pdf(pages, opened, edition):
    page = opened(f"{edition}how/million.html")
    link = page.locator("a:text-is('PDF')").first
    assert link.get_attribute("href") == "../simlib.pdf"
    pdf = (SITE / edition / "simlib.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and len(pdf) > 10**6
    assert b"/Outlines" in pdf


def test_code_is_copied_without_its_prompts(opened):
    page = opened("reference/simlib.embedding_matrix.html")
    page.evaluate(
        """() => document.addEventListener("copy", () => {
            window.copied = document.activeElement.value;
        })"""
    )
    page.locator("button.copybtn").first.click(force=True)
    copied = page.evaluate("window.copied")
    assert "embedding_matrix(frame" in copied and ">>>" not in copied
