"""What a user loses when these fail: the notebooks, overwritten by results of other pictures."""

import base64
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from conftest import draw_pictures

TOOL = Path(__file__).parents[1] / "tools" / "run_notebooks.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=1200
    )


@pytest.mark.slow
def test_notebooks_run_on_another_catalogue_and_stay_as_they_are(tmp_path):
    draw_pictures(tmp_path / "my photos", 3)
    notebook = nbformat.v4.new_notebook()
    code = "import os; print(os.environ['SIMLIB_CATALOGUE'])"
    notebook.cells = [nbformat.v4.new_code_cell(code)]
    path = tmp_path / "notebooks" / "one.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    (path.parent / "images").mkdir()
    (path.parent / "images" / "drawn.svg").write_text("<svg/>")
    before = path.read_bytes()
    folder = os.path.relpath(tmp_path / "my photos")
    done = run("--on", folder, "--into", tmp_path / "results", path)
    assert done.returncode == 0, done.stderr
    assert "3 pictures in" in done.stdout and path.read_bytes() == before
    (result,) = (tmp_path / "results").glob("*.ipynb")
    assert (tmp_path / "results" / "images" / "drawn.svg").read_text() == "<svg/>"
    (cell,) = nbformat.read(result, as_version=4).cells
    assert cell.outputs[0].text == f"{tmp_path / 'my photos'}\n"


def test_a_catalogue_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--on", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="^There is no folder .*nowhere'. Give 'sample', "):
        runpy.run_path(str(TOOL), run_name="__main__")


def test_figures_are_stored_in_few_colours_that_nobody_sees():
    across = np.linspace(0, 255, 300)
    grain = np.random.default_rng(0).normal(0, 6, (200, 300, 1))
    photo = np.stack([across + 0 * grain[..., 0], 255 - across + 0 * grain[..., 0],
                      np.full((200, 300), 90)], axis=2) + grain  # fmt: skip
    stream = io.BytesIO()
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).convert("RGBA").save(stream, "PNG")
    data = {"image/png": base64.b64encode(stream.getvalue()).decode(), "text/plain": "<Figure>"}
    output = nbformat.v4.new_output("display_data", data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    runpy.run_path(str(TOOL))["shrink_figures"](notebook)
    (output,) = notebook.cells[0].outputs
    png = base64.b64decode(output.data["image/png"])
    assert len(png) < len(stream.getvalue()) / 2 and output.data["text/plain"] == "<Figure>"
    stored = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
    assert np.abs(stored - photo.clip(0, 255)).mean() < 6
