"""What a reader loses when these fail: diagrams that are missing, clipped, mute or out of date."""

import itertools
import re
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import nbformat
import pytest
from every_notebook import every_notebook
from PIL import ImageFont

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "notebooks" / "images"
DIAGRAMS = runpy.run_path(str(ROOT / "tools" / "draw_diagrams.py"))["DIAGRAMS"]
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # DejaVu Sans, wider than most
SVG = "{http://www.w3.org/2000/svg}"


def test_the_script_draws_the_committed_files():
    assert {path.stem for path in IMAGES.glob("*.svg")} == set(DIAGRAMS)
    for name, drawing in DIAGRAMS.items():
        written = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
        assert written == drawing, f"{name}: run python tools/draw_diagrams.py"
        assert len(drawing.encode()) < 10_000, name


def extents(element: ElementTree.Element) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a text."""
    size = float(element.attrib["font-size"])
    name = "DejaVuSans-Bold.ttf" if "font-weight" in element.attrib else "DejaVuSans.ttf"
    width = ImageFont.truetype(FONTS / name, 100).getlength(element.text) * size / 100
    anchor = element.attrib.get("text-anchor", "middle")
    left = float(element.attrib["x"]) - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
    baseline = float(element.attrib["y"])
    return left, baseline - 0.75 * size, left + width, baseline + 0.1 * size


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_is_described_and_no_text_is_clipped_or_covers_another(name):
    root = ElementTree.fromstring(DIAGRAMS[name])
    for part in ("title", "desc"):
        assert len(root.findtext(f"{SVG}{part}")) > 8
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {width:g} {height:g}"
    texts = {extents(element): element.text for element in root.iter(f"{SVG}text")}
    for (left, top, right, bottom), line in texts.items():
        assert 4 <= left and 4 <= top and right <= width - 4 and bottom <= height - 4, line
    for (a, one), (b, other) in itertools.combinations(texts.items(), 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one!r} and {other!r}"


def test_every_picture_in_a_notebook_exists_and_says_what_it_shows():
    shown = set()
    for notebook in every_notebook(ROOT / "notebooks"):
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type != "markdown":
                continue
            for alt, target in re.findall(r"!\[([^]]*)\]\(([^)\s]+)\)", cell.source):
                path = (notebook.parent / target).resolve()
                assert path.is_file(), f"{notebook.name}: {target}"
                assert len(alt) > 20, f"{notebook.name}: {target} needs an alt text"
                shown.add(path)
            assert "<img" not in cell.source, f"{notebook.name}: a picture without an alt text"
    assert shown <= {path.resolve() for path in IMAGES.iterdir()}
