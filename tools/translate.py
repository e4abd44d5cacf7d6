"""Translations of notebooks, book and README: gettext catalogues that hold prose only.

python tools/translate.py update zh     # bring the catalogues up to date with their sources
python tools/translate.py check zh      # what is missing, stale or has other numbers
python tools/translate.py lay zh        # write the translated notebooks into build/zh/notebooks
python tools/translate.py run zh        # run those that ask in Chinese, and keep their outputs
python tools/translate.py readme zh     # update README.po and write README.zh.md

A unit of translation is a paragraph, a heading, a cell of a table, a block of HTML or a caption, as
Markdown; code, outputs and formulas are none, so that they stay as they are (queries.py has the one
exception: what is asked of the network in words). Where a unit has no translation, or a fuzzy one,
the source is shown. Catalogues lie in book/locale, one for each page;
Poedit, Weblate and any other editor of .po files opens them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from markdown_it import MarkdownIt

sys.path.insert(0, str(Path(__file__).parent))
import queries  # noqa: E402

ROOT = Path(__file__).parents[1]
LOCALES = {"zh": "zh_CN"}
SOURCES = (
    "README.md",
    "book/*.md",
    "book/how/*.md",
    "notebooks/*.ipynb",
    "notebooks/*/*.ipynb",
    "notebooks/*.md",
)
HEADER = r"""msgid ""
msgstr ""
"Language: {locale}\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
CODE_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
FORMULA = re.compile(r"\$\$.+?\$\$|(?<![\\$\w])\$[^$\n]+\$(?!\w)", re.S)
LINK = re.compile(r"\]\(([^)\s]*)[^)]*\)|<(https?:[^>\s]*)>")
MAGNITUDES = {
    "thousand": 10**3, "million": 10**6, "megapixel": 10**6, "billion": 10**9,
    "千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "十亿": 10**9,
}  # fmt: skip
NUMBER = re.compile(
    r"(\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*)"
    rf"(?:\s*({'|'.join(sorted(MAGNITUDES, key=len, reverse=True))}))?"
)


# --- finding and replacing the prose of Markdown -----------------------------------------------


class Unit(NamedTuple):
    """Some prose, and the lines it stands in, each as what precedes and what follows it."""

    text: str
    first_line: int
    frames: list[tuple[str, str]]


def units(markdown: str) -> list[Unit]:
    """Return the units of translation of a Markdown text, in its order."""
    lines = markdown.split("\n")
    tokens = PARSER.parse(markdown)
    found = []
    columns: Counter[int] = Counter()  # how far the cells of a table's row have been read
    for opening, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline" and token.map:
            row = opening is not None and opening.type in ("th_open", "td_open")
            start = columns[token.map[0]] if row else 0
            unit = unit_of(token.content, lines, token.map[0], start)
            if unit and row:
                columns[token.map[0]] = len(lines[unit.first_line]) - len(unit.frames[0][1])
        elif token.type == "html_block" and token.map:
            content = token.content.strip("\n")
            visible = re.sub(r"<!--.*?-->|<[^>]*>", "", content, flags=re.S)
            first = token.map[0]
            unit = unit_of(content, lines, first, whole=True) if is_prose(visible) else None
        elif token.type == "fence" and token.map and token.info.startswith("{"):
            captions = re.finditer(r"^:caption: *(.+)$", token.content, re.M)
            for caption in captions:
                number = token.map[0] + 1 + token.content[: caption.start()].count("\n")
                if captioned := unit_of(caption[1], lines, number):
                    found.append(captioned)
            unit = None
        else:
            continue
        if unit is not None:
            found.append(unit)
    return [unit for unit in found if is_prose(unit.text)]


def unit_of(
    content: str, lines: list[str], first: int, start: int = 0, whole: bool = False
) -> Unit | None:
    """Return a unit by the content that the parser gives, found again in the lines.

    Of `whole` lines the indentation belongs to the unit.
    """
    frames, texts = [], []
    for offset, part in enumerate(content.split("\n")):
        line = lines[first + offset]
        part = part if whole else part.strip()
        # A bar within a cell of a table is escaped in the source.
        spellings = (part, part.replace("|", r"\|"))
        written = next((one for one in spellings if one in line[start:]), None)
        if written is None:
            return None
        at = line.index(written, start)
        frames.append((line[:at], line[at + len(written) :]))
        texts.append(written)
        start = 0
    return Unit("\n".join(texts), first, frames)


def is_prose(text: str) -> bool:
    """Return whether there is a word to translate: not in code, a formula or an address."""
    without = LINK.sub("]", FORMULA.sub("", CODE_SPAN.sub("", text)))
    return bool(re.search(r"[^\W\d_]{2}", re.sub(r"https?://\S+", "", without)))


def replace_units(markdown: str, translate: Callable[[str], str]) -> str:
    """Return a Markdown text with its units translated, everything else as it was."""
    lines: list[str | None] = list(markdown.split("\n"))
    # From the end, so that the cells of a row do not move before they are replaced.
    for unit in reversed(units(markdown)):
        text = translate(unit.text)
        if text == unit.text:
            continue
        (before, _), (_, after) = unit.frames[0], unit.frames[-1]
        following = unit.frames[1][0] if len(unit.frames) > 1 else re.sub(r"[^>\s]", " ", before)
        current = lines[unit.first_line]
        if len(unit.frames) == 1 and current is not None:
            after = current[len(before) + len(unit.text) :]
        replaced = before + text.replace("\n", "\n" + following) + after
        lines[unit.first_line] = replaced
        for number in range(unit.first_line + 1, unit.first_line + len(unit.frames)):
            lines[number] = None
    return "\n".join(line for line in lines if line is not None)


# --- the catalogues ----------------------------------------------------------------------------


def sources(patterns: Iterable[str] = SOURCES) -> list[Path]:
    """Return the repository's files of these patterns that are for readers.

    Lists of terms are for translators, and JupyterLab keeps copies in .ipynb_checkpoints.
    """
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [
        path
        for path in found
        if not path.name.startswith("terms_")
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


def catalogue_path(source: Path, language: str) -> Path:
    name = source.resolve().relative_to(ROOT).with_suffix(".po")
    return ROOT / "book" / "locale" / LOCALES[language] / "LC_MESSAGES" / name


def queries_path(source: Path, language: str) -> Path:
    """Return where it is declared what a notebook asks in a language; most ask nothing."""
    return ROOT / "book" / "locale" / LOCALES[language] / "queries" / f"{source.stem}.toml"


def texts_of(source: Path) -> list[str]:
    """Return the Markdown texts of a file: itself, or the prose cells of a notebook."""
    content = source.read_text(encoding="utf-8")
    if source.suffix != ".ipynb":
        return [content]
    cells = json.loads(content)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def prose_of(source: Path) -> list[str]:
    """Return the units of a file, each once, in its order."""
    return list(dict.fromkeys(unit.text for text in texts_of(source) for unit in units(text)))


def read_catalogue(path: Path, language: str) -> Catalog:
    if not path.is_file():
        return Catalog(LOCALES[language], fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, LOCALES[language])


def translations(path: Path, language: str) -> dict[str, str]:
    """Return the finished translations of a catalogue: neither empty nor fuzzy."""
    catalogue = read_catalogue(path, language)
    return {
        message.id: message.string
        for message in catalogue
        if message.id and message.string and not message.fuzzy
    }


def update(source: Path, language: str) -> None:
    """Bring a catalogue up to date; what was translated stays, fuzzy where its source changed."""
    path = catalogue_path(source, language)
    name = source.resolve().relative_to(ROOT).as_posix()
    template = Catalog(fuzzy=False)
    for text in prose_of(source):
        template.add(text, locations=[(name, None)])
    catalogue = read_catalogue(path, language)
    catalogue.update(template)
    file = BytesIO()
    write_po(file, catalogue, width=100, omit_header=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(HEADER.format(locale=LOCALES[language]).encode() + file.getvalue())


# --- what is made of them ----------------------------------------------------------------------


def translated(source: Path, language: str) -> str:
    """Return a file in another language."""
    found = translations(catalogue_path(source, language), language)
    content = source.read_text(encoding="utf-8")
    made = translate_content(content, source.suffix == ".ipynb", lambda text: found.get(text, text))
    asked = queries_path(source, language)
    if asked.is_file():
        notebook = json.loads(made)
        queries.apply(notebook, queries.read(asked))
        made = as_notebook(notebook)
    return made


def translate_content(content: str, notebook: bool, translate: Callable[[str], str]) -> str:
    if not notebook:
        return replace_units(content, translate)
    loaded = json.loads(content)
    for cell in loaded["cells"]:
        if cell["cell_type"] == "markdown":
            text = replace_units("".join(cell["source"]), translate)
            cell["source"] = text.splitlines(keepends=True)
    return as_notebook(loaded)


def as_notebook(content: dict) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def lay(language: str, folder: Path) -> list[str]:
    """Write the translated notebooks into a folder, with what they show and read.

    A notebook that its reader has changed since it was laid, by running it for one, is left alone.

    Returns
    -------
    list of str
        The names of those that are left alone although there is a new version.
    """
    stamps = folder / ".laid.json"
    try:
        before = json.loads(stamps.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first time, or it was cut short
        before = {}
    now: dict[str, str] = {}
    kept = []
    for source in sources():
        name = source.relative_to(ROOT).as_posix()
        if not name.startswith("notebooks/"):
            continue
        laid = folder / name
        content = with_links_back(translated(source, language), source, laid).encode()
        new, last = hashlib.sha256(content).hexdigest(), before.get(name)
        there = hashlib.sha256(laid.read_bytes()).hexdigest() if laid.is_file() else None
        if there not in (None, last, new):
            if last is not None:
                now[name] = last
            if last != new:
                kept.append(name)
            continue
        now[name] = new
        laid.parent.mkdir(parents=True, exist_ok=True)
        laid.write_bytes(content)
        copy_what_is_read(source, laid)
    images = ROOT / "notebooks" / "images"
    if images.is_dir():
        shutil.copytree(images, folder / "notebooks" / "images", dirs_exist_ok=True)
    stamps.write_text(json.dumps(now, indent=1), encoding="utf-8")
    return kept


def with_links_back(content: str, source: Path, laid: Path) -> str:
    """Return a laid file whose links to what is not laid lead to where that is."""

    def link(found: re.Match[str]) -> str:
        target, mark, anchor = found[1].partition("#")
        path = (source.parent / target).resolve()
        if not target or ":" in target or path.is_relative_to(ROOT / "notebooks"):
            return found[0]
        if not path.exists():
            return found[0]
        back = os.path.relpath(path, laid.parent).replace(os.sep, "/")
        return f"]({back}{mark}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", link, content)


def copy_what_is_read(source: Path, laid: Path) -> None:
    """Copy the files of the repository that a notebook's code reads by their relative paths."""
    if source.suffix == ".ipynb":
        code = "".join("".join(cell["source"]) for cell in queries.code_cells(
            json.loads(source.read_text(encoding="utf-8"))
        ))  # fmt: skip
        for name in re.findall(r'"(\.\./[^"]+)"', code):
            if (source.parent / name).is_file():
                (laid.parent / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source.parent / name, laid.parent / name)


def run_queries(language: str) -> None:
    """Run the notebooks that ask in a language, and keep the outputs that this gives."""
    import run_notebooks

    os.environ["TQDM_DISABLE"] = "1"
    build = ROOT / "build"  # on the same drive, so that there are relative links
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as folder:
        lay(language, Path(folder))
        for source in sources():
            path = queries_path(source, language)
            if path.is_file():
                laid = Path(folder) / source.relative_to(ROOT)
                run_notebooks.run(laid, None)
                ran = json.loads(laid.read_text(encoding="utf-8"))
                queries.keep_outputs(path, ran, json.loads(source.read_text(encoding="utf-8")))


def readme(language: str) -> str:
    return translated(ROOT / "README.md", language)


# --- checks ------------------------------------------------------------------------------------


def numbers(text: str) -> Counter[str]:
    """Return the numbers of a text by their value: 10,000, "10 thousand" and "1 万" are one."""
    found: Counter[str] = Counter()
    prose = LINK.sub("]", FORMULA.sub("", CODE_SPAN.sub("", text)))
    for digits, magnitude in NUMBER.findall(prose):
        if digits.count(".") > 1:
            found[digits] += 1  # a version
        else:
            value = Decimal(digits.replace(",", "")) * MAGNITUDES.get(magnitude, 1)
            # 0.50 says more than 0.5; but 1.3 million is 130 万.
            whole = "." not in digits or (magnitude and value == int(value))
            found[str(int(value)) if whole else f"{value:f}"] += 1
    return found


def faults(source: str, translation: str) -> Iterator[str]:
    """Yield in what a translation departs from its source, beyond the words."""
    parts: dict[str, Callable[[str], Counter[str]]] = {
        "numbers": numbers,
        "code": lambda text: Counter(code for _, code in CODE_SPAN.findall(text)),
        "formulas": lambda text: Counter(FORMULA.findall(CODE_SPAN.sub("", text))),
        # README.md and README.zh.md lead to each other.
        "links": lambda text: Counter(
            re.sub(r"\.zh\.md$", ".md", one or other)
            for one, other in LINK.findall(CODE_SPAN.sub("", text))
        ),
    }  # fmt: skip
    for name, part in parts.items():
        ours, theirs = part(source), part(translation)
        missing, added = sorted((ours - theirs).elements()), sorted((theirs - ours).elements())
        if missing or added:
            yield f"{name} differ: only in the source {missing}, only in the translation {added}"


def check(source: Path, language: str) -> tuple[list[str], int, int]:
    """Return a file's faults, and how many of its units are translated, of how many."""
    path = catalogue_path(source, language)
    found, wanted = translations(path, language), prose_of(source)
    name = source.resolve().relative_to(ROOT).as_posix()
    asked = queries.read(queries_path(source, language))
    messages = [f"{name}: {fault}" for fault in stale_queries(source, language)]
    for text, translation in found.items():
        if text not in wanted:
            messages.append(f"{name}: stale, no longer in the source: {text[:60]!r}")
            continue
        text_said = queries.said(text, asked.pairs)
        messages += [f"{name}: {text[:60]!r}: {fault}" for fault in faults(text_said, translation)]
    for message in read_catalogue(path, language):
        if message.id and message.fuzzy:
            messages.append(f"{name}: the source has changed (fuzzy): {str(message.id)[:60]!r}")
    return messages, sum(text in found for text in wanted), len(wanted)


def stale_queries(source: Path, language: str) -> Iterator[str]:
    """Yield what is wrong with what a notebook asks in a language."""
    path = queries_path(source, language)
    if not path.is_file():
        return
    overlay, content = queries.read(path), json.loads(source.read_text(encoding="utf-8"))
    whole = "\n".join("".join(cell["source"]) for cell in content["cells"])
    for english, _ in overlay.pairs:
        if english not in whole:
            yield f"{path.name}: no longer in the source: {english!r}"
    try:
        for added in overlay.added:
            queries.place_of(content, added["before"])
    except ValueError as error:
        yield f"{path.name}: {error}"
        return
    if overlay.digest != queries.digest(json.loads(translated(source, language))):
        yield f"the code has changed: run `python tools/translate.py run {language}`"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["update", "check", "lay", "run", "readme"])
    parser.add_argument("language", choices=sorted(LOCALES))
    parser.add_argument(
        "sources", nargs="*", type=Path, help="for update and check; all by default"
    )
    parser.add_argument(
        "--complete",
        action="store_true",
        help="check: what has no translation is a fault, too; only faults are printed",
    )
    parser.add_argument("--into", type=Path, help="lay: a folder; by default build/LANGUAGE")
    arguments = parser.parse_intermixed_args()
    language = arguments.language
    chosen = arguments.sources or sources()
    if arguments.command == "update":
        for source in chosen:
            update(source, language)
    elif arguments.command == "lay":
        folder = arguments.into or ROOT / "build" / language
        for name in lay(language, folder):
            print(
                f"{folder / name} is yours, and stays; there is a new version. To get it, rename "
                "yours."
            )
        print(folder / "notebooks")
    elif arguments.command == "run":
        run_queries(language)
    elif arguments.command == "readme":
        update(ROOT / "README.md", language)
        (ROOT / f"README.{language}.md").write_text(readme(language), encoding="utf-8")
    else:
        failed = False
        for source in chosen:
            messages, done, wanted = check(source, language)
            faulty = bool(messages) or (arguments.complete and done < wanted)
            failed |= faulty
            if faulty or not arguments.complete:
                print(f"{source.resolve().relative_to(ROOT)}: {done} of {wanted} translated")
            print("".join(f"  {message}\n" for message in messages), end="")
        sys.exit(failed)


if __name__ == "__main__":
    main()
