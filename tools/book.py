"""Build the book, a site of static pages, into book/build/site; its Chinese edition into site/zh.

python tools/book.py                    # make book
python tools/book.py --language zh      # make book LANGUAGE=zh
python tools/book.py --language en zh   # both, with a link from each page to the other's
python tools/book.py --pdf              # make pdf: the site, and the book as site/simlib.pdf

Nothing is executed: the notebooks are shown with their committed outputs. What Sphinx and its
extensions need is installed into .book-packages, beside .venv, the first time. Every warning is an
error.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import translate

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
PACKAGES = ROOT / ".book-packages"
# The pages, in the book under the same name (without book/). What is not there is left out.
PAGES = (
    "book/*.md",
    "book/how/*.md",
    "notebooks/*.ipynb",
    "notebooks/*/*.ipynb",
    "notebooks/*.md",
    "data/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
)
FIGURES = ("docs/*.png", "notebooks/images/*")
PDF = "simlib.pdf"


def sources() -> dict[str, Path]:
    """Return the files of the book by their names in it."""
    found = translate.sources((*PAGES, *FIGURES))
    return {path.relative_to(ROOT).as_posix().removeprefix("book/"): path for path in found}


def lay_sources(folder: Path, language: str) -> None:
    """Make a folder hold the sources of one edition, and leave alone what has not changed."""
    wanted = sources()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        made = name.startswith(("reference/", "generated/"))  # by Sphinx
        if path.is_file() and name not in wanted and not made:
            path.unlink()
    for name, path in wanted.items():
        content = path.read_bytes()
        if language != "en" and path.suffix in (".md", ".ipynb"):
            content = translate.translated(path, language).encode()
        if path.suffix == ".md":  # an anchor, as JupyterLab reads it, is a target for Sphinx
            content = re.sub(rb'^<a id="([^"]+)"></a>', rb"(\1)=\n", content, flags=re.M)
        target = folder / name
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def install_packages() -> None:
    """Install what the book needs beyond the environment, unless it is there."""
    wanted = (BOOK / "requirements.txt").read_bytes()
    stamp = PACKAGES / "requirements.txt"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    print("Installing Sphinx and its extensions into .book-packages …", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    try:
        subprocess.run([*pip, PACKAGES, "-r", BOOK / "requirements.txt"], check=True)
    except subprocess.CalledProcessError:
        sys.exit("The book's packages can't be installed. Connect to the internet, then try again.")
    stamp.write_bytes(wanted)


def run_sphinx(builder: str, language: str, target: Path, **variables: str) -> int:
    """Run a builder of Sphinx on the sources of one edition; return its exit status."""
    source = BOOK / "build" / "source" / language
    lay_sources(source, language)
    paths = [PACKAGES, ROOT, os.environ.get("PYTHONPATH")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "PYTHONWARNINGS": "ignore::UserWarning:jieba._compat",  # of what it uses of setuptools
        "SIMLIB_BOOK_LANGUAGE": language,
        **variables,
    }
    doctrees = BOOK / "build" / "doctrees" / f"{builder}-{language}"
    options = ["-b", builder, "-W", "--keep-going", "-q", "-c", BOOK, "-d", doctrees]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, source, target], env=environment
    ).returncode


def site_of(language: str) -> Path:
    site = BOOK / "build" / "site"
    return site if language == "en" else site / language


def build(language: str, editions: list[str], pdf: bool) -> int:
    """Build one edition, with links to the others that are built; return Sphinx's exit status."""
    target = site_of(language)
    variables = {"SIMLIB_BOOK_EDITIONS": " ".join(editions), "SIMLIB_BOOK_PDF": PDF if pdf else ""}
    status = run_sphinx("html", language, target, **variables)
    if status == 0:
        print(f"{target / 'index.html'}", flush=True)
    return status


def find_browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    named = os.environ.get("SIMLIB_BROWSER")
    found = named or next(filter(None, map(shutil.which, names)), None)
    if not found:
        sys.exit(
            "A PDF needs Chromium, which prints it: install it (Debian: apt install chromium), or "
            "name yours in the environment variable SIMLIB_BROWSER."
        )
    return found


def print_book(language: str, browser: str) -> int:
    """Lay the book out as one page, and have a browser print it; return an exit status."""
    folder = BOOK / "build" / "printed" / language
    status = run_sphinx("singlehtml", language, folder, SIMLIB_BOOK_PRINTED="1")
    if status:
        return status
    page, pdf = folder / "index.html", site_of(language) / PDF
    pdf.parent.mkdir(parents=True, exist_ok=True)
    pdf.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--disable-gpu", f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium's own does not work for root
        options += ["--no-pdf-header-footer", "--generate-pdf-document-outline"]
        printing = [browser, *options, f"--print-to-pdf={pdf}", page.as_uri()]
        done = subprocess.run(printing, capture_output=True, text=True, timeout=600)
    if not pdf.is_file():
        print(f"{browser} printed nothing: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return 1
    print(f"{pdf}", flush=True)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    editions = ["en", *translate.LOCALES]
    parser.add_argument("--language", nargs="+", choices=editions, default=["en"])
    parser.add_argument("--pdf", action="store_true", help="print the book, too; needs Chromium")
    arguments = parser.parse_args()
    languages = arguments.language
    browser = find_browser() if arguments.pdf else ""
    install_packages()
    # Each is built, so that one report names everything.
    statuses = [build(language, languages, arguments.pdf) for language in languages]
    if arguments.pdf:
        statuses += [print_book(language, browser) for language in languages]
    sys.exit(max(statuses))


if __name__ == "__main__":
    main()
