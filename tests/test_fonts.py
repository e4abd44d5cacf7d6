"""Texts of all scripts in figures: a font that has them, or a sentence, and never a warning."""

import warnings

import matplotlib.pyplot as plt
import pytest
from matplotlib import font_manager

import simlib
from simlib import fonts

HANDBAG = "红色手提包"


@pytest.fixture
def only_our_fonts(monkeypatch):
    """The fonts that come with matplotlib, whatever this machine has."""
    ours = [font for font in font_manager.fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", ours)
    fonts._family_with.cache_clear()
    yield
    fonts._family_with.cache_clear()


@pytest.fixture
def chinese_font(only_our_fonts, tmp_path):
    """A font with a square for each character of HANDBAG."""
    fontbuilder = pytest.importorskip("fontTools.fontBuilder")
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", *(f"uni{ord(character):04X}" for character in HANDBAG)]
    builder = fontbuilder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): f"uni{ord(character):04X}" for character in HANDBAG})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares of Ours", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200, usWeightClass=400)
    builder.setupPost()
    builder.save(tmp_path / "squares.ttf")
    font_manager.fontManager.addfont(tmp_path / "squares.ttf")


@pytest.fixture
def draw(tmp_path):
    image_df = simlib.load_catalogue("sample").head(3)

    def draw(captions):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "Glyph 32418 missing from font(s) DejaVu Sans."
            figure = simlib.plot_grid(image_df, captions=captions, save=tmp_path / "grid.png")
            figure.canvas.draw()
        titles = [axes.title for axes in figure.axes[:3]]
        plt.close(figure)
        return titles, figure.get_label()

    return draw


def test_a_text_is_drawn_in_a_font_that_has_it(chinese_font, draw):
    titles, _ = draw([HANDBAG, "a red bag", f"{HANDBAG} (a red bag)"])
    assert [title.get_text() for title in titles] == [
        HANDBAG,
        "a red bag",
        f"{HANDBAG} (a red bag)",
    ]
    families = [title.get_fontfamily() for title in titles]
    assert families[0][-1] == families[2][-1] == "Squares of Ours"
    assert "Squares of Ours" not in families[1]


def test_where_no_font_has_it_a_sentence_says_so_and_the_alt_text_has_it(only_our_fonts, draw):
    titles, alt_text = draw([HANDBAG, "a red bag", "Kleid für Ärzte, красная сумка"])
    assert [title.get_text() for title in titles] == [
        fonts.NO_FONT,
        "a red bag",
        "Kleid für Ärzte, красная сумка",
    ]
    assert HANDBAG in alt_text


def test_marks_and_directions_need_no_glyph(only_our_fonts, draw):
    hidden = "e\u0301\u200f\u00a0\ufeff"
    titles, _ = draw([hidden, "b", "c"])
    assert titles[0].get_text().strip() != fonts.NO_FONT
