"""Fonts for the scripts of the world: a text is drawn in one that has its characters.

Matplotlib's own font knows Latin, Greek, Cyrillic and some more; characters that it lacks are drawn
as boxes, with a warning for each. What else is installed is looked through only for these.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.text import Text

UNSEEN = "Cc Cf Zs Zl Zp Mn Me Cn Co Cs".split()
"""Categories of characters that need no glyph of their own: spaces, marks, signs of direction."""

NO_FONT = "(a text that no installed font can show)"


def make_legible(artists: Iterable[Any]) -> None:
    """Give each text among some artists and their children a font that can show it.

    Where none is installed that has its characters, a sentence takes the text's place; the figure's
    alt text has it still.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure()
    >>> title = figure.suptitle("a red bag, \\U0001347f")  # a sign that hardly any font has
    >>> make_legible([figure])
    >>> title.get_text() in ("a red bag, \\U0001347f", NO_FONT)
    True
    """
    from matplotlib.text import Text

    for artist in artists:
        for text in artist.findobj(Text):
            if not text.get_text().isascii():
                _make_legible(text)


def _make_legible(text: Text) -> None:
    from matplotlib.font_manager import findfont

    needed = frozenset(filter(_is_seen, text.get_text()))
    missing = needed - _characters(findfont(text.get_fontproperties()))
    if not missing:
        return
    family = _family_with(missing)
    if family is None:
        text.set_text(NO_FONT)
    else:
        text.set_fontfamily([*text.get_fontfamily(), family])


def _is_seen(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) not in UNSEEN


@lru_cache(maxsize=256)
def _family_with(characters: frozenset[str]) -> str | None:
    """Return the family of an upright, normal installed font that has these characters, or None."""
    from matplotlib.font_manager import fontManager

    fonts = [font for font in fontManager.ttflist if not font.name.startswith("Last Resort")]
    # The plainest first, and always in the same order; a family is found again by its name.
    fonts.sort(key=lambda font: (font.style != "normal", font.weight != 400, font.name, font.fname))
    for font in fonts:
        if font.style == "normal" and characters <= _characters(font.fname):
            return font.name
    return None


@lru_cache(maxsize=256)
def _characters(path: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # deleted since it was listed, or not to be read
        return frozenset()
