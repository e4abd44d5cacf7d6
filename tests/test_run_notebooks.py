"""What a user loses when these fail: the notebooks, overwritten by results of other pictures."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from conftest import draw_pictures

TOOL = Path(__file__).parents[1] / "tools" / "run_notebooks.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=1200
    )


def test_notebooks_run_on_another_catalogue_and_stay_as_they_are(tmp_path):
    draw_pictures(tmp_path / "my photos", 3)
    notebook = nbformat.v4.new_notebook()
    code = "import os; print(os.environ['SIMLIB_CATALOGUE'])"
    notebook.cells = [nbformat.v4.new_code_cell(code)]
    path = tmp_path / "notebooks" / "one.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    before = path.read_bytes()
    folder = os.path.relpath(tmp_path / "my photos")
    done = run("--on", folder, "--into", tmp_path / "results", path)
    assert done.returncode == 0, done.stderr
    assert "3 pictures in" in done.stdout and path.read_bytes() == before
    (result,) = (tmp_path / "results").iterdir()
    (cell,) = nbformat.read(result, as_version=4).cells
    assert cell.outputs[0].text == f"{tmp_path / 'my photos'}\n"


def test_a_catalogue_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--on", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="^There is no folder .*nowhere'. Give 'sample', "):
        runpy.run_path(str(TOOL), run_name="__main__")
