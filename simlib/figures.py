"""The figure that a plot is drawn into, ours or the user's: panels, the alt text, and the file.

The alt text, a sentence that says what is drawn, is the label of the figure (or of the axes that
were given): ``figure.get_label()``. Files carry it in their metadata, where the format has a place
for it. Notebooks show pictures without: matplotlib-inline cannot pass one on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simlib.arguments import short_repr
from simlib.fonts import make_legible
from simlib.storage.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    AnyFigure: TypeAlias = Figure | SubFigure

DPI = 80
"""Dots per inch of a figure: enough to recognise the products, and a notebook stays small."""

REFUSAL = "The figure could not be saved ({reason}); what was there before is unchanged"


@contextmanager
def panels_of(
    panels: int,
    columns: int,
    size: tuple[float, float],
    figure: AnyFigure | None = None,
    **options: Any,
) -> Iterator[tuple[AnyFigure, list[Axes]]]:
    """Open some panels, row by row, in a new figure of pyplot's or in an empty one of the user's.

    Where drawing fails, a new figure does not stay open, and one of the user's is empty again.

    Parameters
    ----------
    panels, columns : int
        How many, and how many of them side by side.
    size : tuple of float
        Width and height of a new figure, in inches.
    figure : Figure or SubFigure, optional
    **options
        For ``subplots``.

    Yields
    ------
    figure : Figure or SubFigure
    axes : list of Axes

    Raises
    ------
    TypeError, ValueError
        If ``figure`` is none, or something is drawn in it already.
    """
    import matplotlib.pyplot as plt

    require_empty_figure(figure)
    drawn = plt.figure(figsize=size, dpi=DPI) if figure is None else figure
    try:
        axes = drawn.subplots(-(-panels // columns), columns, squeeze=False, **options)
        for axis in axes.flat[panels:]:
            axis.remove()
        yield drawn, list(axes.flat[:panels])
    except BaseException:
        if figure is None:
            plt.close(drawn)  # type: ignore[arg-type]
        else:
            figure.clear()
        raise


def require_empty_figure(figure: object) -> None:
    """Raise an error unless ``figure`` is None, or a figure in which there is nothing yet."""
    if figure is None:
        return
    from matplotlib.figure import FigureBase

    if not isinstance(figure, FigureBase):
        raise TypeError(
            f"figure={short_repr(figure)} is not a figure of matplotlib's. Give one, as "
            "matplotlib.pyplot.figure() or figure.subfigures() does, or nothing for a new one."
        )
    if figure.axes or getattr(figure, "subfigs", []):
        raise ValueError(
            "Something is drawn in figure= already. Give an empty one, one of its "
            "figure.subfigures(…), or call figure.clear() first."
        )


def axes_given(ax: Any, wanted: int) -> list[Axes]:
    """Return the axes that a user gave, one or several, as a list of the number that is wanted."""
    import numpy as np
    from matplotlib.axes import Axes

    given = list(np.ravel(np.array(ax, dtype=object)))
    if not all(isinstance(axis, Axes) for axis in given):
        raise TypeError(
            f"ax={short_repr(ax)} is not one of matplotlib's axes, nor several of them."
        )
    if len(given) != wanted:
        raise ValueError(f"ax= has {len(given)} axes for {wanted} panels; give one for each.")
    return given


def tighten(figure: AnyFigure, pad: float) -> None:
    """Leave little space around the panels, unless the user's figure has a layout of its own."""
    from matplotlib.figure import Figure

    make_legible([figure])
    if isinstance(figure, Figure) and figure.get_layout_engine() is None:
        figure.tight_layout(pad=pad)


def require_savable(save: str | os.PathLike[str] | None) -> None:
    """Raise an error if a figure can't be saved there: before it is drawn, which may take long.

    Examples
    --------
    >>> require_savable("figure.xyz")
    Traceback (most recent call last):
    ValueError: save='figure.xyz': figures can't be saved as '.xyz'. End the name with one of ...
    """
    if save is None:
        return
    from matplotlib.figure import Figure

    if not isinstance(save, (str, os.PathLike)):
        raise TypeError(f"save={short_repr(save)} is not the path of a file, such as 'found.png'.")
    path = _place(save)
    formats = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(
            f"save={short_repr(os.fspath(save))}: figures can't be saved as {path.suffix!r}. End "
            f"the name with one of .{', .'.join(sorted(formats))}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"save={short_repr(os.fspath(save))}: there is no folder {str(path.parent)!r}. Make it "
            "first; nothing was drawn."
        )


def finish(
    drawn: AnyFigure | Sequence[Axes], alt_text: str, save: str | os.PathLike[str] | None
) -> None:
    """Give what was drawn its alt text, and save the whole figure where that is asked for.

    The file gets its name once it is complete. PNG, SVG and PDF carry the alt text.
    """
    artists: list[Any] = list(drawn) if isinstance(drawn, Sequence) else [drawn]
    make_legible(artists)
    for artist in artists:
        artist.set_label(alt_text)
    if save is None:
        return
    path = _place(save)
    kind = path.suffix[1:].lower()
    with atomic_write(path.parent, path.name, refusal=REFUSAL) as file:
        artists[0].get_figure(root=True).savefig(
            file, format=kind, metadata=_metadata(kind, alt_text)
        )


def _place(save: str | os.PathLike[str]) -> Path:
    return Path(save).expanduser()


def _metadata(kind: str, alt_text: str) -> dict[str, Any] | None:
    """Return the alt text as a format's metadata has it; none for a format without a place."""
    if kind == "png":
        return {"Description": alt_text}
    if kind in ("svg", "svgz"):  # the title is what a browser's screen reader says
        return {"Title": alt_text, "Description": alt_text, "Date": None}
    if kind == "pdf":
        return {"Subject": alt_text, "CreationDate": None}
    return None
