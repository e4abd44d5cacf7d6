"""What a reader loses when these fail: links in the notebooks that lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest
from every_notebook import every_notebook

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
GLOSSARY = (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
ENTRY = re.compile(r'^<a id="([a-z0-9-]+)"></a>\*\*(.+?)\*\*: (.+[.)]) (\[.+\))$', re.M)
ENTRIES = ENTRY.findall(GLOSSARY)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def markdown_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


OURS = every_notebook(NOTEBOOKS)
NUMBERS = [path.name[:2] for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
PAGES = [*OURS, NOTEBOOKS / "GLOSSARY.md"]


def test_the_glossary_is_in_order_and_says_each_thing_once():
    assert len(ENTRIES) == GLOSSARY.count("<a id=") > 80
    assert len({anchor for anchor, *_ in ENTRIES}) == len(ENTRIES)
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for _, name, *_ in ENTRIES]
    assert names == sorted(names)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    anchors = {anchor for anchor, *_ in ENTRIES}
    for target in LINK.findall(markdown_of(path)):
        if "://" in target or target.startswith("#"):
            continue
        name, _, anchor = target.partition("#")
        assert (path.parent / name).exists(), target
        if name == "GLOSSARY.md" and anchor:
            assert anchor in anchors, target


@pytest.mark.parametrize("number", NUMBERS)
def test_terms_are_met_where_the_glossary_says(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    text = re.sub(r"[^a-z0-9@]", "", " ".join(cell.source for cell in cells).lower())
    missing = []
    for _, name, _, where in ENTRIES:
        words = [name, *re.split(r"[(),]", name), name.split()[0]]  # "atomic", for "atomic writing"
        words = [re.sub(r"[^a-z0-9@]", "", word.lower()).replace("@k", "@") for word in words]
        if f"[{number}]" in where and not any(word and word in text for word in words):
            missing.append(name)
    assert not missing


@pytest.mark.parametrize("number", NUMBERS)
def test_a_notebook_begins_and_ends_as_the_others(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    for row in (
        "**The question.**",
        "**Before you start:**",
        "**Time:**",
        "**Afterwards you can**",
    ):
        assert row in cells[0].source
    end = cells[-1].source
    quiz = end.partition("\n## Quiz\n")[2].partition("\n## Exercises\n")[0]
    assert len(re.findall(r"^\*\*[1-5]\.\*\* ", quiz, re.M)) == 5
    assert (
        len(re.findall(r"^<details><summary>Answer</summary>\n\n.+\n\n</details>$", quiz, re.M))
        == 5
    )
    assert f"exercises/{number}_exercises.ipynb" in end and "**Next:**" in end
    code = [cell.source.splitlines() for cell in cells if cell.cell_type == "code"]
    assert sum(map(len, code)) / len(code) <= 8
    assert path.stat().st_size < 600_000
