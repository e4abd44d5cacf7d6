"""How Sphinx builds the book; ``make book`` calls it by way of tools/book.py."""

import os
import sys
import tomllib
from pathlib import Path

BOOK = Path(__file__).parent
sys.path.insert(0, str(BOOK / "extensions"))
PROJECT = tomllib.loads((BOOK.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The one place that knows where the site is; whoever hosts it elsewhere sets the variable.
SITE = os.environ.get("SIMLIB_BOOK_URL") or "https://simlib.github.io/simlib/"
REPOSITORY = PROJECT["urls"]["Repository"]
EDITION = os.environ.get("SIMLIB_BOOK_LANGUAGE", "en")
PRINTED = bool(os.environ.get("SIMLIB_BOOK_PRINTED"))  # one page, for a PDF

project = "simlib"
author = PROJECT["authors"][0]["name"]
copyright = f"{author}. Apache-2.0"
version = release = PROJECT["version"]
language = {"en": "en", "zh": "zh_CN"}[EDITION]
html_baseurl = SITE if EDITION == "en" else f"{SITE.rstrip('/')}/{EDITION}/"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "alt_texts",
    "api_links",
    "citation",
    "folded_solutions",
    "formulas",
    "printed",
    "repository_links",
]
if EDITION == "zh":
    extensions += ["chinese_emphasis", "chinese_search"]
repository_url = REPOSITORY  # for repository_links
templates_path = [str(BOOK / "templates")]  # autosummary would look beside the pages

# Notebooks and Markdown. Outputs are those in the repository, and nothing comes from elsewhere.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

# The reference.
autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
viewcode_line_numbers = False
python_use_unqualified_type_names = True

# The theme.
html_theme = "sphinx_book_theme"
html_title = "simlib"
html_static_path = ["static"]
html_permalinks = not PRINTED
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
html_last_updated_fmt = None
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "use_repository_button": True,
    "use_issues_button": True,
    "use_download_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # its search would be a second one
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "search_bar_text": {"en": "Search…", "zh": "搜索…"}[EDITION],
    "article_header_end": ["language-switch.html", "article-header-buttons.html"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {
    "edition": EDITION,
    "other_edition": " " in os.environ.get("SIMLIB_BOOK_EDITIONS", ""),
    "pdf": os.environ.get("SIMLIB_BOOK_PDF"),  # its name, where there is one
    "default_mode": "auto",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

if PRINTED:  # without what a sheet of paper can't do
    html_theme, html_theme_options = "basic", {"nosidebar": True}
    html_css_files, html_js_files = ["print.css"], []
    html_context |= {"site": html_baseurl, "book_title": html_title}
    templates_path.insert(0, str(BOOK / "templates" / "print"))
    extensions = [
        name for name in extensions if name not in ("sphinx_copybutton", "sphinx.ext.viewcode")
    ]
    pygments_style = "a11y-high-contrast-light"
    # The solutions have all exercises; links to their pages are plain words.
    exclude_patterns = ["notebooks/exercises/*"]
    suppress_warnings = ["myst.xref_missing"]
