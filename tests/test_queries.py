"""What a Chinese reader loses when these fail: a notebook that asks in Chinese, with true outputs.

Its code is that of the English notebook, but for the strings that are declared.
"""

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("translate", ROOT / "tools" / "translate.py")
translate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(translate)
queries = translate.queries

ASKING = [path for path in translate.sources() if translate.queries_path(path, "zh").is_file()]


def read(text):
    return nbformat.reads(text, as_version=4)


def codes(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=ASKING, ids=lambda path: path.stem)
def asking(request):
    """An English notebook, its Chinese edition, and what is declared of it."""
    source = request.param
    overlay = queries.read(translate.queries_path(source, "zh"))
    english = read(source.read_text(encoding="utf-8"))
    return english, read(translate.translated(source, "zh")), overlay


def test_the_notebook_of_words_asks_in_chinese():
    names = ["04_image_text_clip.ipynb", "04_exercises.ipynb", "04_solutions.ipynb"]
    assert [path.name for path in ASKING] == names


def test_apart_from_what_is_declared_the_code_is_the_same(asking):
    english, chinese, overlay = asking
    nbformat.validate(chinese)
    ours = [cell for cell in codes(chinese) if not cell.id.startswith("added-")]
    back = [(said, original) for original, said in overlay.pairs]
    restored = [queries.said(cell.source, back) for cell in ours]
    assert restored == [cell.source for cell in codes(english)]
    assert len(codes(chinese)) - len(ours) == len(overlay.added) <= 1
    assert '"multilingual"' in "".join(cell.source for cell in codes(chinese))


def test_what_is_asked_from_then_on_is_chinese(asking):
    _, chinese, _ = asking
    cells = codes(chinese)
    (start,) = [place for place, cell in enumerate(cells) if "READS_CHINESE =" in cell.source]
    code = "\n".join(cell.source for cell in cells[start + 1 :])
    asked = re.findall(r'encode_query\(encoder, "([^"]+)"', code)
    for listed in re.findall(r"(?:TEXTS|TEMPLATES) = \[(.+)\]|for text in \((.+)\):", code):
        asked += "".join(listed).split(", ")
    asked += re.findall(r'lambda colour: \(f?"([^"]+)"', code)
    asked += re.findall(r'returns for "([^"]+)"', code)
    assert asked
    assert not [text for text in asked if not re.search(r"[\u4e00-\u9fff]", text)]


def test_the_outputs_are_those_of_this_code(asking):
    english, chinese, overlay = asking
    assert overlay.digest == queries.digest(json.loads(json.dumps(chinese)))
    cells = codes(chinese)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    theirs = {cell.source: cell.outputs for cell in codes(english)}
    for number, cell in enumerate(cells, 1):
        if cell.source not in theirs and cell.id != "added-0-code":
            # A declaration prints nothing, in either language.
            original = queries.said(cell.source, [(b, a) for a, b in overlay.pairs])
            assert bool(cell.outputs) == bool(theirs[original])
            assert (str(number) in overlay.outputs) == bool(cell.outputs)


def test_everything_that_is_declared_is_in_the_source(asking):
    for source in ASKING:
        assert list(translate.stale_queries(source, "zh")) == []


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one notebook that asks something, and what it asks in Chinese."""
    monkeypatch.setattr(translate, "ROOT", tmp_path)
    new_code, output = nbformat.v4.new_code_cell, nbformat.v4.new_output
    cells = [
        new_code("find('a bag')", execution_count=1, outputs=[output("stream", text="bag\n")]),
        nbformat.v4.new_markdown_cell("It says `find('a bag')`."),
        new_code("1 + 1", execution_count=2, outputs=[output("stream", text="2\n")]),
    ]
    source = tmp_path / "notebooks" / "00.ipynb"
    source.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    asked = translate.queries_path(source, "zh")
    asked.parent.mkdir(parents=True)
    asked.write_text(
        """
        pair = [{ en = "'a bag'", said = "'包'" }]
        added = [{ before = "find(", prose = "用中文提问。", code = "x = 1" }]
        """,
        encoding="utf-8",
    )
    return source, asked


def test_without_a_run_of_its_code_an_edition_shows_no_outputs(project):
    source, _ = project
    made = read(translate.translated(source, "zh"))
    assert [cell.source for cell in made.cells] == [
        "用中文提问。", "x = 1", "find('包')", "It says `find('a bag')`.", "1 + 1"
    ]  # fmt: skip
    assert [cell.execution_count for cell in codes(made)] == [None, None, 3]
    assert [len(cell.outputs) for cell in codes(made)] == [0, 0, 1]
    (fault,) = translate.stale_queries(source, "zh")
    assert "translate.py run zh" in fault


def test_outputs_are_kept_where_they_differ_and_go_stale_with_the_code(project):
    source, asked = project
    ran = json.loads(translate.translated(source, "zh"))
    find = queries.code_cells(ran)[1]
    find["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["包\n"]}]
    queries.keep_outputs(asked, ran, json.loads(source.read_text(encoding="utf-8")))
    assert list(queries.read(asked).outputs) == ["2"]
    made = codes(read(translate.translated(source, "zh")))
    assert [cell.outputs[0].text for cell in made[1:]] == ["包\n", "2\n"]
    assert [cell.execution_count for cell in made] == [1, 2, 3]
    assert list(translate.stale_queries(source, "zh")) == []

    changed = source.read_text(encoding="utf-8").replace("1 + 1", "1 + 2")
    source.write_text(changed, encoding="utf-8")
    assert codes(read(translate.translated(source, "zh")))[1].outputs == []
    assert len(list(translate.stale_queries(source, "zh"))) == 1


def test_what_is_asked_no_longer_is_noticed(project):
    source, _ = project
    changed = source.read_text(encoding="utf-8").replace("a bag", "a hat")
    source.write_text(changed, encoding="utf-8")
    assert "'a bag'" in next(translate.stale_queries(source, "zh"))
    source.write_text(changed.replace("find(", "seek("), encoding="utf-8")
    *_, last = translate.stale_queries(source, "zh")
    assert "0 code cells" in last


def test_code_in_the_prose_is_said_as_in_the_code(project):
    source, _ = project
    translate.update(source, "zh")
    path = translate.catalogue_path(source, "zh")
    text = path.read_text(encoding="utf-8").replace(
        'msgstr ""\n\n', "msgstr \"它写成 `find('包')`。\"\n\n"
    )
    path.write_text(
        re.sub(r'msgstr ""\n*\Z', "msgstr \"它写成 `find('包')`。\"\n", text), encoding="utf-8"
    )
    messages, done, wanted = translate.check(source, "zh")
    assert done == wanted == 1
    assert [message for message in messages if "code differ" in message] == []
