"""What a reader of a translation loses when these fail: the same code and numbers as the source."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from test_nbval import verify

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("translate", ROOT / "tools" / "translate.py")
translate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(translate)

MARKDOWN = """\
# A title

A paragraph of two
lines with `code`, $x^2$ and [a link](other.md).

- An item that
  goes on
- | no table

> A quotation
> of two lines

| name | what \\| why |
|---|---|
| `simlib.embed` | embeds a name |
| name | name |

<details><summary>Answer</summary>

Forty-two.

</details>

```python
print("not prose")
```

$$
\\text{not prose}
$$

```{toctree}
:caption: Pages
other
```
"""


def test_prose_is_found_and_nothing_else():
    assert [unit.text for unit in translate.units(MARKDOWN)] == [
        "A title",
        "A paragraph of two\nlines with `code`, $x^2$ and [a link](other.md).",
        "An item that\ngoes on",
        "| no table",
        "A quotation\nof two lines",
        "name",
        "what \\| why",
        "embeds a name",
        "name",
        "name",
        "<details><summary>Answer</summary>",
        "Forty-two.",
        "Pages",
    ]


def test_what_is_no_prose_stays_as_it_is():
    assert translate.replace_units(MARKDOWN, lambda text: text) == MARKDOWN
    marked = translate.replace_units(MARKDOWN, lambda text: f"«{text}»")
    assert marked.replace("«", "").replace("»", "") == MARKDOWN
    assert marked.count("«") == 13
    assert "| «name» | «name» |" in marked and "| `simlib.embed` | «embeds a name» |" in marked


def test_a_translation_may_have_fewer_or_more_lines():
    words = {
        "An item that\ngoes on": "一项",
        "A quotation\nof two lines": "引文\n有\n三行",
        "| no table": "一\n二",
    }
    made = translate.replace_units(MARKDOWN, lambda text: words.get(text, text))
    assert "\n- 一项\n- 一\n  二\n\n> 引文\n> 有\n> 三行\n\n|" in made


@pytest.mark.parametrize("source", translate.sources(), ids=lambda path: path.name)
def test_every_source_survives_untranslated(source):
    content = source.read_text(encoding="utf-8")
    notebook = source.suffix == ".ipynb"
    same = translate.translate_content(content, notebook, lambda text: text)
    assert json.loads(same) == json.loads(content) if notebook else same == content
    assert translate.prose_of(source)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one notebook; what `translate` reads and writes lies in it."""
    monkeypatch.setattr(translate, "ROOT", tmp_path)
    cells = [
        nbformat.v4.new_markdown_cell("# Search\n\nIt compares 1,152 pictures with `nearest`."),
        nbformat.v4.new_code_cell("found = 1\nfound", execution_count=1),
        nbformat.v4.new_markdown_cell("The best of 10 million is 0.5."),
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    path = tmp_path / "notebooks" / "00_search.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


CHINESE = {
    "Search": "检索",
    "It compares 1,152 pictures with `nearest`.": "它用 `nearest` 比较 1,152 张图像。",
    "The best of 10 million is 0.5.": "1000 万中最好的是 0.5。",
}


def write_catalogue(source, words):
    translate.update(source, "zh")
    path = translate.catalogue_path(source, "zh")
    text = path.read_text(encoding="utf-8")
    for english, chinese in words.items():
        empty = f'msgid "{english}"\nmsgstr "'
        text = text.replace(f'{empty}"', f'{empty}{chinese}"')
    path.write_text(text, encoding="utf-8")


def test_a_notebook_is_translated_and_its_code_is_not(project):
    write_catalogue(project, CHINESE)
    assert translate.check(project, "zh") == ([], 3, 3)
    made = nbformat.reads(translate.translated(project, "zh"), as_version=4)
    nbformat.validate(made)
    source = nbformat.read(project, as_version=4)
    assert made.cells[0].source == "# 检索\n\n它用 `nearest` 比较 1,152 张图像。"
    assert made.cells[1] == source.cells[1]
    assert made.metadata == source.metadata


def test_what_is_not_translated_is_shown_in_the_source_language(project):
    write_catalogue(project, {"Search": "检索"})
    assert translate.check(project, "zh") == ([], 1, 3)
    made = nbformat.reads(translate.translated(project, "zh"), as_version=4)
    assert made.cells[0].source == "# 检索\n\nIt compares 1,152 pictures with `nearest`."


def test_after_a_change_of_the_source_nothing_stale_is_shown(project):
    write_catalogue(project, CHINESE)
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("1,152 pictures", "1,153 pictures"), encoding="utf-8")
    (stale,), done, wanted = translate.check(project, "zh")
    assert "stale" in stale and (done, wanted) == (2, 3)
    assert "1,152" not in translate.translated(project, "zh")

    translate.update(project, "zh")  # keeps the old words for the translator
    (fuzzy,), done, wanted = translate.check(project, "zh")
    assert "fuzzy" in fuzzy and (done, wanted) == (2, 3)
    assert "1,152 张" in translate.catalogue_path(project, "zh").read_text(encoding="utf-8")
    assert "1,152" not in translate.translated(project, "zh")


def test_updating_twice_changes_nothing(project):
    write_catalogue(project, CHINESE)
    before = translate.catalogue_path(project, "zh").read_bytes()
    translate.update(project, "zh")
    assert translate.catalogue_path(project, "zh").read_bytes() == before


@pytest.mark.parametrize(
    ("source", "translation", "fault"),
    [
        ("1,152 pictures", "1152 张图像", None),
        ("10 million, 100 million", "1000 万和 1 亿", None),
        ("0.5 of 3", "3 中的 0.5", None),
        ("version 2.3.5 (0.38–0.45)", "版本 2.3.5（0.38–0.45）", None),
        ("[here](a_2.md), `k=5`", "[这里](a_2.md)，`k=5`", None),
        ("12 colours", "13 种颜色", "numbers"),
        ("0.5", "0.50", "numbers"),
        ("10 million", "10 万", "numbers"),
        ("one picture", "1 张图像", "numbers"),
        ("`k=5`", "`k=6`", "code"),
        ("`k=5`", "k", "code"),
        ("$x^2$", "$x^3$", "formulas"),
        ("[here](a.md)", "[这里](b.md)", "links"),
    ],
)
def test_what_a_translation_must_not_change_is_noticed(source, translation, fault):
    found = list(translate.faults(source, translation))
    assert [text.partition(" ")[0] for text in found] == ([fault] if fault else [])


def test_the_notebooks_are_laid_with_their_pictures(project, tmp_path):
    images = project.parent / "images"
    images.mkdir()
    (images / "a.svg").write_text("<svg/>")
    write_catalogue(project, CHINESE)
    for _ in range(2):
        translate.lay("zh", tmp_path / "build" / "zh")
    laid = tmp_path / "build" / "zh" / "notebooks"
    assert "检索" in (laid / project.name).read_text(encoding="utf-8")
    assert (laid / "images" / "a.svg").read_text() == "<svg/>"


def test_a_laid_notebook_reads_and_links_to_what_the_source_does(project, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("table.csv", "README.md"):
        (tmp_path / "data" / name).write_text("x")
    notebook = nbformat.read(project, as_version=4)
    notebook.cells[0].source = "[a](../data/README.md#b), [b](00_search.ipynb), [c](#d), [e](no.md)"
    notebook.cells[1].source = 'open("../data/table.csv"), open("../data/none.csv")'
    nbformat.write(notebook, project)
    translate.lay("zh", tmp_path / "build" / "zh")
    laid = tmp_path / "build" / "zh" / "notebooks"
    assert (laid / "../data/table.csv").read_text() == "x"
    shown = nbformat.read(laid / project.name, as_version=4).cells[0].source
    back = "../../../data/README.md"
    assert shown == f"[a]({back}#b), [b](00_search.ipynb), [c](#d), [e](no.md)"
    assert (laid / back).is_file()


def test_what_the_reader_has_written_is_never_laid_over(project, tmp_path):
    write_catalogue(project, CHINESE)
    folder = tmp_path / "build" / "zh"
    laid = folder / "notebooks" / project.name
    assert translate.lay("zh", folder) == translate.lay("zh", folder) == []
    mine = laid.read_text(encoding="utf-8").replace("found = 1", "found = 2")
    laid.write_text(mine, encoding="utf-8")
    assert translate.lay("zh", folder) == []  # nothing new to tell of
    project.write_text(project.read_text(encoding="utf-8").replace("found = 1", "found = 3"))
    for _ in range(2):
        assert translate.lay("zh", folder) == ["notebooks/00_search.ipynb"]
        assert laid.read_text(encoding="utf-8") == mine
    (folder / ".laid.json").write_text('{"notebooks/00', encoding="utf-8")  # killed while writing
    assert translate.lay("zh", folder) == ["notebooks/00_search.ipynb"]
    assert laid.read_text(encoding="utf-8") == mine
    laid.unlink()
    assert translate.lay("zh", folder) == []
    assert "found = 3" in laid.read_text(encoding="utf-8")


def test_a_folder_that_was_laid_before_there_were_notes_is_kept(project, tmp_path):
    laid = tmp_path / "build" / "zh" / "notebooks" / project.name
    laid.parent.mkdir(parents=True)
    laid.write_text("mine")
    assert translate.lay("zh", tmp_path / "build" / "zh") == ["notebooks/00_search.ipynb"]
    assert laid.read_text() == "mine"


@pytest.mark.slow
def test_a_chinese_notebook_runs_and_shows_what_is_stored(tmp_path):
    """One stands for all, which `make test LANGUAGE=zh` verifies: the code is the same."""
    laid = tmp_path / "one" / "00_setup_and_data.ipynb"
    laid.parent.mkdir()
    source = ROOT / "notebooks" / laid.name
    laid.write_text(translate.translated(source, "zh"), encoding="utf-8")
    finished = verify(laid.parent)
    assert finished.returncode == 0, finished.stdout
    cells = nbformat.read(laid, as_version=4).cells
    assert f"{sum(cell.cell_type == 'code' for cell in cells)} passed" in finished.stdout


def code_blocks(markdown):
    return re.findall(r"^```.*?^```$", markdown, re.M | re.S)


def test_the_chinese_readme_is_made_of_the_readme_and_its_catalogue():
    made = (ROOT / "README.zh.md").read_text(encoding="utf-8")
    source = (ROOT / "README.md").read_text(encoding="utf-8")
    assert made == translate.readme("zh"), (
        "README.md has changed: run `python tools/translate.py readme zh`, and translate what is "
        "new in book/locale/zh_CN/LC_MESSAGES/README.po"
    )
    assert code_blocks(made) == code_blocks(source)


@pytest.mark.parametrize("source", translate.sources(), ids=lambda path: path.name)
def test_translations_have_the_numbers_and_the_code_of_their_source(source):
    path = translate.catalogue_path(source, "zh")
    pairs = translate.queries.read(translate.queries_path(source, "zh")).pairs
    for text, translation in translate.translations(path, "zh").items():
        text = translate.queries.said(text, pairs)
        assert list(translate.faults(text, translation)) == [], text


def test_every_catalogue_has_a_source():
    wanted = {translate.catalogue_path(source, "zh") for source in translate.sources()}
    assert set((ROOT / "book" / "locale").rglob("*.po")) <= wanted


def test_check_fails_on_a_fault_and_on_what_is_missing_if_asked(project, monkeypatch, capsys):
    def check(*options):
        monkeypatch.setattr(sys, "argv", ["translate.py", "check", "zh", *options])
        with pytest.raises(SystemExit) as ended:
            translate.main()
        return bool(ended.value.code), capsys.readouterr().out

    write_catalogue(project, {"Search": "检索"})
    assert check() == (False, "notebooks/00_search.ipynb: 1 of 3 translated\n")
    assert check("--complete")[0]
    write_catalogue(project, {**CHINESE, "The best of 10 million is 0.5.": "最好的是 0.4。"})
    failed, printed = check(str(project))
    assert failed and "3 of 3 translated" in printed and "numbers differ" in printed


def test_copies_that_jupyterlab_keeps_are_no_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(translate, "ROOT", tmp_path)
    for name in ("notebooks/00.ipynb", "notebooks/.ipynb_checkpoints/00-checkpoint.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert translate.sources() == [tmp_path / "notebooks" / "00.ipynb"]
