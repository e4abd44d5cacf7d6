"""Build the book, a site of static pages, into book/build/site; its Chinese edition into site/zh.

python tools/book.py                    # make book
python tools/book.py --language zh      # make book LANGUAGE=zh
python tools/book.py --language en zh   # both, with a link from each page to the other's

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


def build(language: str, editions: list[str]) -> int:
    """Build one edition, with links to the others that are built; return Sphinx's exit status."""
    source, site = BOOK / "build" / "source" / language, BOOK / "build" / "site"
    lay_sources(source, language)
    target = site if language == "en" else site / language
    paths = [PACKAGES, ROOT, os.environ.get("PYTHONPATH")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "PYTHONWARNINGS": "ignore::UserWarning:jieba._compat",  # of what it uses of setuptools
        "SIMLIB_BOOK_LANGUAGE": language,
        "SIMLIB_BOOK_EDITIONS": " ".join(editions),
    }
    doctrees = BOOK / "build" / "doctrees" / language
    options = ["-b", "html", "-W", "--keep-going", "-q", "-c", BOOK, "-d", doctrees]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, source, target], env=environment
    )
    if done.returncode == 0:
        print(f"{target / 'index.html'}", flush=True)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    editions = ["en", *translate.LOCALES]
    parser.add_argument("--language", nargs="+", choices=editions, default=["en"])
    languages = parser.parse_args().language
    install_packages()
    # Each is built, so that one report names everything.
    sys.exit(max([build(language, languages) for language in languages]))


if __name__ == "__main__":
    main()
