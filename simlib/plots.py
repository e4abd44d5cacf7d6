"""What a person sees: pictures in grids, neighbours in order, comparisons, and maps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from simlib.arguments import short_repr
from simlib.columns import (
    Embeddings,
    embedding_matrix,
    noted_encoders,
    require_column,
)
from simlib.encoders.base import Encoder, TextEncoder
from simlib.figures import (
    axes_given,
    finish,
    panels_of,
    require_empty_figure,
    require_savable,
    tighten,
)
from simlib.images import ImageError, decode_image, load_image
from simlib.negation import warn_of_negation
from simlib.progress import PATIENCE, progress_bar
from simlib.query import FrameGallery, Query, encode_query, take_away
from simlib.search import FitBy, nearest, nearest_to
from simlib.synonyms import synonyms
from simlib.where import Where

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from tqdm import tqdm

    from simlib.figures import AnyFigure

__all__ = ["plot_comparison", "plot_grid", "plot_map", "plot_similar", "text_image_search"]

MOST_DRAWN = 50
"""So many neighbours are drawn at most: a row of thousands takes minutes, and nobody can see it."""

PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For all text: what users wrote is never markup, and a ``$`` in it is a dollar."""

MOST_NAMED = 20
"""So many pictures are named in an alt text, which somebody has to listen to."""

MOST_SHOWN = 200
"""So many characters of a text are drawn at most."""

THUMBNAIL = 224
"""The longer side of a picture in a figure, in pixels."""

STRATEGIES = {
    "flattened_pixels": "flattened pixels",
    "towhee_img_embedding": "classifier",
    "simclr_img_embeddings": "SimCLR",
    "clip_img_embedding": "image-text network",
}
"""What a column of simlib's own is called in a figure; any other by its name."""

Path: TypeAlias = str | os.PathLike[str]

# Twenty hues in an order that sets neighbours apart (matplotlib's tab20, dark ones first).
_PALETTE = [f"C{number}" for number in range(10)] + [
    "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5",
    "#c49c94", "#f7b6d2", "#555555", "#dbdb8d", "#9edae5",
]  # fmt: skip


@synonyms(image_df="df", query="query_index", k="k_neighbors")
def plot_similar(
    df: pd.DataFrame,
    embedding_col: str,
    query_index: Query | None = None,
    k_neighbors: int = 5,
    encoder: Encoder | None = None,
    *,
    text: str | None = None,
    weight: float = 0.5,
    minus: str | None = None,
    minus_weight: float = 0.5,
    where: Where | None = None,
    columns: str | Sequence[str] = (),
    figure: AnyFigure | None = None,
    save: Path | None = None,
) -> pd.DataFrame:
    """Draw a picture and its most similar neighbours, in order.

    Parameters
    ----------
    df : pandas.DataFrame
        With ``img_path`` and the embedding column. Also as ``image_df=``.
    embedding_col : str
        The embeddings to compare.
    query_index : label
        The label, in the frame's index, of the picture to search with; or whatever else
        :func:`simlib.nearest` takes as a query, such as the path of a photo. Also as ``query=``.
    k_neighbors : int
        How many neighbours to find; the first ``MOST_DRAWN`` of them are drawn. Also as ``k=``.
    encoder, text, weight, minus, minus_weight, where, columns
        As :func:`simlib.nearest` takes them.
    figure : matplotlib.figure.Figure or SubFigure, optional
        An empty one to draw into; by default a new one of pyplot's.
    save : str or path, optional
        Also saves the figure there, in the format that the name ends with: ``"found.png"``.

    Returns
    -------
    pandas.DataFrame
        What :func:`simlib.nearest` found. Call ``matplotlib.pyplot.show()`` after it, or end a
        notebook's cell with it.

    Raises
    ------
    KeyError, TypeError, ValueError, simlib.ImageError
        As :func:`simlib.nearest` does; or if ``figure`` is none or not empty, or ``save`` has no
        format of matplotlib's.
    FileNotFoundError
        If there is no folder to save in.

    Notes
    -----
    A new figure is ``matplotlib.pyplot.gcf()`` and stays open, as pyplot's figures do, until it is
    closed; notebooks close it at the end of the cell. In a loop, save or show it and then call
    ``matplotlib.pyplot.close()`` each time.

    ``figure.get_label()`` is its alt text, which says what is drawn; in saved PNG, SVG and PDF
    files it is the description. Both notes hold for all that simlib draws.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(12)
    >>> image_df = simlib.embed(image_df, simlib.load_encoder("pixels"), progress=False)
    >>> neighbours = plot_similar(image_df, "flattened_pixels", query_index=0, k_neighbors=3)
    >>> neighbours["rank"].tolist()
    [1, 2, 3]
    """
    require_column(df, "img_path")
    require_empty_figure(figure)
    require_savable(save)
    neighbours = nearest(
        df, embedding_col, query_index, k_neighbors, encoder, text=text, weight=weight,
        minus=minus, minus_weight=minus_weight, where=where, columns=columns,
    )  # fmt: skip
    position = None
    if query_index is not None:
        position = FrameGallery(df, embedding_col).position_of(query_index)
    picture: Path | Image.Image | None = None
    name = "a vector" if query_index is not None else ""
    if position is not None:
        picture = df["img_path"].iloc[position]
        name = f"the picture {_names_of(df.iloc[[position]])[0]}"
    elif isinstance(query_index, (bytes, bytearray, memoryview)):
        picture, name = decode_image(bytes(query_index), "the query"), "a picture"
    elif isinstance(query_index, (str, os.PathLike)):
        picture = query_index
        name = f"the picture {_shown(os.path.basename(os.fspath(query_index)))}"
    elif isinstance(query_index, Image.Image):
        picture, name = query_index, "a picture"
    words = _words_shown(text, minus)
    draw_neighbours(
        picture,
        neighbours,
        title=" · ".join(filter(None, [_strategy(embedding_col), words])),
        alt_text=f"{' and '.join(filter(None, [name, words]))}, and what is most similar by "
        f"{_strategy(embedding_col)}",
        names=_names_of(df, neighbours),
        figure=figure,
        save=save,
    )
    return neighbours


def _words_shown(text: str | None, minus: str | None) -> str:
    words = [] if text is None else [f"“{text}”"]
    return " ".join(words if minus is None else [*words, f"without “{minus}”"])


@synonyms(text="text_query", image_df="df", embedding_col="img_emb_col", encoder="model")
def text_image_search(
    text_query: str,
    df: pd.DataFrame,
    img_emb_col: str,
    k: int = 5,
    model: object | None = None,
    *,
    minus: str | None = None,
    minus_weight: float = 0.5,
    where: Where | None = None,
    columns: str | Sequence[str] = (),
    figure: AnyFigure | None = None,
    save: Path | None = None,
) -> pd.DataFrame:
    """Draw the pictures that fit a text best, in order.

    Parameters
    ----------
    text_query : str
        What to look for, such as ``"a photo of a women's dress"``. It is always read as text, also
        if it looks like a path or an address. Also as ``text=``.
    df : pandas.DataFrame
        With ``img_path`` and the embedding column. Also as ``image_df=``.
    img_emb_col : str
        Embeddings of an image-text network, such as ``"clip_img_embedding"``. Also as
        ``embedding_col=``.
    k : int
        How many pictures to find; the first ``MOST_DRAWN`` of them are drawn.
    model : Encoder or SentenceTransformer, optional
        The network that made the column. By default the one that did so in this session; or
        ``simlib.load_encoder("clip")``, with its ``"multilingual"`` texts where they were used, if
        the frame or the file that it was loaded from notes that this one made the column. Also as
        ``encoder=``.
    minus : str, optional
        What is not wanted, as in ``text_image_search("a bag", …, minus="red")``.
    minus_weight : float
        Its share, from 0 (nothing is taken away) to 1; the text has the rest. See
        :func:`simlib.encode_query`.
    where, columns
        As :func:`simlib.nearest` takes them.
    figure, save
        As :func:`plot_similar` takes them.

    Returns
    -------
    pandas.DataFrame
        ``rank``, ``index``, ``cosine_similarity``, ``img_path`` and ``columns``, as
        :func:`simlib.nearest` gives them; no rows where ``where`` lets none pass.

    Raises
    ------
    KeyError
        If the frame has no such column.
    TypeError
        If the model can't encode text.
    ValueError
        If the text is empty, ``k`` is less than 1, it is not known which model made the column, or
        the model's embeddings have another dimension than the column's; or as
        :func:`plot_similar` raises it, for ``figure`` and ``save``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> clip = simlib.load_encoder("clip")
    >>> image_df = simlib.load_catalogue("sample").groupby("category").head(1)
    >>> image_df = simlib.embed(image_df, clip, progress=False)
    >>> found = text_image_search("an umbrella", image_df, "clip_img_embedding", k=1, model=clip)
    >>> image_df.at[found["index"].iloc[0], "category"]
    'umbrella'
    """
    require_column(df, "img_path")
    require_empty_figure(figure)
    require_savable(save)
    gallery = FrameGallery(df, img_emb_col)
    if model is None:
        model = gallery.encoder
    if model is None:
        raise _unknown_encoder(df, img_emb_col)
    warn_of_negation(text_query)
    words = encode_query(model, text_query)
    if len(words) != gallery.dim:
        raise ValueError(
            f"The model {type(model).__name__} gives {len(words)} values, but the embeddings in "
            f"{img_emb_col!r} have {gallery.dim}: another model made them. Pass that one as "
            "model=, or embed the pictures with this one."
        )
    vector = words
    if minus is not None:
        unwanted = encode_query(model, minus, minus_weight=minus_weight)
        vector = take_away(words, unwanted, minus_weight)
    asked = FitBy(words, model, text_query) if isinstance(model, TextEncoder) else None
    found = nearest_to(gallery, vector, k, asked=asked, where=where, columns=columns)
    if found.empty and where is None:
        raise ValueError(
            f"None of the embeddings in {img_emb_col!r} can be compared: each is zero or not "
            "finite."
        )
    shown = _words_shown(text_query, minus)
    draw_neighbours(
        None,
        found,
        title=shown,
        alt_text=f"What fits {shown} best by {_strategy(img_emb_col)}",
        names=_names_of(df, found),
        figure=figure,
        save=save,
    )
    return found


def _unknown_encoder(df: pd.DataFrame, img_emb_col: str) -> ValueError:
    made_by = noted_encoders(df.attrs).get(img_emb_col)
    if made_by is None:
        return ValueError(
            f"It is not known which model made the embeddings in {img_emb_col!r}, so words can't "
            "be compared with them. Name it: model=simlib.load_encoder('clip'), or another."
        )
    return ValueError(
        f"The embeddings in {img_emb_col!r} were made by the encoder {made_by['name']!r} with "
        "other weights than the compact ones of 'clip'. Pass the model that made them: "
        "model=simlib.load_encoder(...)."
    )


def draw_neighbours(
    query: Path | Image.Image | None,
    neighbours: pd.DataFrame,
    title: str,
    alt_text: str,
    names: Sequence[str],
    figure: AnyFigure | None = None,
    save: Path | None = None,
) -> None:
    """Draw a query (a path, a picture, or None for none) in a frame, and its neighbours.

    ``alt_text`` is the beginning of it; the neighbours follow, with their names and similarities.
    """
    number = len(neighbours)
    if number > MOST_DRAWN:
        title = f"{title} (the first {MOST_DRAWN} of {number:,})".strip()
    fit = neighbours.attrs.get("fit", 1.0)
    doubt = "" if fit >= 0.5 or number == 0 else f"probably nothing here fits (fit {fit:.2f})"
    title = "\n".join(filter(None, [_shown(title), doubt]))
    first = neighbours.head(MOST_DRAWN)
    similarities = [f"{similarity:.2f}" for similarity in first["cosine_similarity"]]
    pictures = [*([] if query is None else [query]), *first["img_path"]]
    captions = [*([] if query is None else ["query"]), *similarities]
    panels = max(2, len(pictures)) if number == 0 else len(pictures)
    inches = 1.5 * panels, 1.9 + 0.2 * title.count("\n")
    with panels_of(panels, panels, inches, figure) as (drawn, axes):
        for axis, picture, caption in zip(axes, pictures, captions, strict=False):
            _draw(axis, picture, caption)
        if query is not None:
            for spine in axes[0].spines.values():
                spine.set(visible=True, color="tab:orange", linewidth=2.5)
        if number == 0:
            for axis in axes[len(pictures) :]:
                axis.set_axis_off()
            axes[-1].text(0.5, 0.5, "nothing found", ha="center", va="center", fontsize=9)
        drawn.suptitle(title, fontsize=10, **PLAIN)
        tighten(drawn, pad=0.4)
        listed = [
            f"{name} {similarity}" for name, similarity in zip(names, similarities, strict=False)
        ]
        found = f"with cosine similarities: {_enumerated(listed, number)}"
        alt_text = f"{alt_text}, {found if listed else 'but nothing was found'}."
        alt_text += f" But {doubt}." if doubt else ""
        finish(drawn, alt_text[:1].upper() + alt_text[1:], save)


def _names_of(df: pd.DataFrame, found: pd.DataFrame | None = None) -> list[str]:
    """Return what the first pictures are called in an alt text: by their title, else their file.

    ``found`` are rows of ``df`` as :func:`simlib.nearest` returns them; by default all are meant.
    """
    titles: list[object] = []
    if list(df.columns).count("title") == 1 and (found is None or df.index.is_unique):
        some = df.head(MOST_NAMED) if found is None else df.loc[found["index"].head(MOST_NAMED)]
        titles = some["title"].tolist()
    paths = (df if found is None else found)["img_path"].head(MOST_NAMED).tolist()
    return [
        _shown(title if isinstance(title, str) and title.strip() else os.path.basename(str(path)))
        for title, path in zip_longest(titles, paths)
    ]


def _enumerated(names: Sequence[str], number: int) -> str:
    more = number - min(len(names), MOST_NAMED)
    return "; ".join([*names[:MOST_NAMED], *([f"and {more:,} more"] if more else [])])


@synonyms(image_df="df")
def plot_grid(
    df: pd.DataFrame,
    columns: int = 8,
    captions: str | Iterable[str] | None = None,
    size: float = 1.2,
    *,
    figure: AnyFigure | None = None,
    save: Path | None = None,
) -> AnyFigure:
    """Draw all pictures of a frame in a grid, row by row.

    Parameters
    ----------
    df : pandas.DataFrame
        With ``img_path``. Pass few rows, such as ``image_df.sample(24, random_state=0)``. Also as
        ``image_df=``.
    columns : int
        Pictures side by side.
    captions : str or iterable of str, optional
        The name of a column whose values stand above the pictures, or the captions themselves.
    size : float
        Width and height of a cell, in inches; in a new figure only.
    figure, save
        As :func:`plot_similar` takes them.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure

    Raises
    ------
    KeyError
        If the frame has no column ``img_path``, or none of the captions' name.
    ValueError
        If the frame is empty, ``columns`` is less than 1, or there are more or fewer captions than
        pictures; or as :func:`plot_similar` raises it, for ``figure`` and ``save``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> figure = plot_grid(simlib.load_catalogue("sample").head(10), columns=5, captions="colour")
    >>> len(figure.axes)
    10
    """
    require_column(df, "img_path")
    if df.empty or columns < 1:
        raise ValueError(
            f"A grid of {columns} columns can't show {len(df)} pictures; both must be at least 1."
        )
    require_savable(save)
    if isinstance(captions, str):
        require_column(df, captions)
        captions = ["" if pd.isna(value) else str(value) for value in df[captions]]
    captions = [""] * len(df) if captions is None else list(captions)
    if len(captions) != len(df):
        raise ValueError(f"There are {len(captions)} captions for {len(df)} pictures.")
    columns = min(columns, len(df))
    rows = -(-len(df) // columns)
    inches = size * columns, (size + 0.15) * rows
    with panels_of(len(df), columns, inches, figure) as (drawn, axes):
        for axis, path, caption in zip(axes, df["img_path"], captions, strict=True):
            _draw(axis, path, caption)
        tighten(drawn, pad=0.3)
        shown = [
            f"{name} ({_shown(caption)})" if caption and _shown(caption) != name else name
            for name, caption in zip(_names_of(df), captions, strict=False)
        ]
        many = f"{len(df):,} pictures, {columns} in a row" if len(df) > 1 else "One picture"
        finish(drawn, f"{many}: {_enumerated(shown, len(df))}.", save)
    return drawn


def plot_comparison(
    comparison: pd.DataFrame,
    columns: int = 3,
    *,
    figure: AnyFigure | None = None,
    save: Path | None = None,
) -> AnyFigure:
    """Draw what :func:`simlib.compare` measured: a panel for each measure, a row each encoder.

    Parameters
    ----------
    comparison : pandas.DataFrame
        As :func:`simlib.compare` returns it.
    columns : int
        Panels side by side.
    figure, save
        As :func:`plot_similar` takes them.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        Dots are means, lines their 95% intervals, and a dotted line is what chance would reach.

    Raises
    ------
    ValueError
        If there is no measure to draw; or as :func:`plot_similar` raises it, for ``figure`` and
        ``save``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").groupby("category").head(3)
    >>> pixels = simlib.load_encoder("pixels", size=(16, 16))
    >>> table = simlib.compare(image_df, [pixels], timed=0, progress=False)
    >>> [axis.get_title() for axis in plot_comparison(table).axes][:2]
    ['precision@5 by category', 'precision@5 by colour']
    """
    measures: list[str] = []
    if comparison.columns.nlevels == 2:
        measures = [name for name in comparison.columns.unique(0) if name != "cost"]
    if not measures:
        raise ValueError("There is no measure to draw; give what simlib.compare returned.")
    require_savable(save)
    columns = min(columns, len(measures))
    rows = -(-len(measures) // columns)
    inches = 3 * columns, (0.7 + 0.28 * len(comparison)) * rows
    places = range(len(comparison))
    names = [_shown(name) for name in comparison.index]
    said = []
    with panels_of(len(measures), columns, inches, figure, sharey=True) as (drawn, axes):
        for axis, measure in zip(axes, measures, strict=True):
            mean, low, high = (comparison[measure][part] for part in ("mean", "low", "high"))
            for place, colour in zip(places, _PALETTE, strict=False):
                axis.plot([low.iloc[place], high.iloc[place]], [place, place], color=colour, lw=2)
                axis.plot(mean.iloc[place], place, "o", color=colour, ms=5)
            if measure in comparison.attrs.get("chance", {}):
                axis.axvline(comparison.attrs["chance"][measure], color="grey", ls=":", lw=1)
            axis.set_title(_shown(measure), fontsize=9, **PLAIN)
            axis.set(xlim=(-0.03, 1.03), ylim=(len(comparison) - 0.5, -0.5))
            axis.set_yticks(places, names, fontsize=9, **PLAIN)
            axis.tick_params(labelsize=8)
            axis.grid(axis="x", alpha=0.3)
            values = [
                f"{name} {mean.iloc[place]:.2f} ({low.iloc[place]:.2f} to {high.iloc[place]:.2f})"
                for place, name in enumerate(names)
                if not np.isnan(mean.iloc[place])
            ]
            said.append(f"{_shown(measure)}: {', '.join(values)}.")
        tighten(drawn, pad=0.5)
        finish(drawn, f"Means with 95% intervals. {' '.join(said)}", save)
    return drawn


def plot_map(
    image_df: pd.DataFrame,
    embedding_cols: str | Sequence[str],
    label_col: str | None = None,
    method: str = "tsne",
    thumbnails: int = 0,
    most: int = 2_000,
    seed: int = 0,
    progress: bool = True,
    *,
    coordinates: pd.DataFrame | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    save: Path | None = None,
) -> pd.DataFrame:
    """Draw the catalogue in two dimensions: what is similar lies close together.

    Embeddings are scaled to length 1, so that distances follow the cosine similarity. Two of them
    far apart on the map may be closer than they look: no map of two dimensions keeps all distances,
    and t-SNE keeps only who is next to whom.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With the embeddings and the labels, and with ``img_path`` where thumbnails are drawn.
    embedding_cols : str or list of str
        One map for each, side by side.
    label_col : str, optional
        Colours the points; by the colours themselves where the labels are names of colours.
    method : str
        ``"pca"``: the plane in which the embeddings differ most. ``"tsne"``: t-SNE (van der Maaten
        and Hinton, https://jmlr.org/papers/v9/vandermaaten08a.html) of the 50 first principal
        components. ``"umap"``: UMAP (https://arxiv.org/abs/1802.03426), if the package umap-learn
        is there.
    thumbnails : int
        About how many pictures are drawn in place of their points, spread over the map.
    most : int
        Of a larger catalogue so many pictures are drawn at random.
    seed : int
        The same seed gives the same map on the same computer.
    progress : bool
        Whether to show a bar of the steps where a map takes long.
    coordinates : pandas.DataFrame, optional
        What an earlier call returned, with these columns: the same map is drawn again, with other
        labels or with thumbnails, and nothing is computed.
    ax : matplotlib.axes.Axes or a sequence of them, optional
        To draw into, one for each of the columns; by default those of a new figure of pyplot's.
        The alt text is then their label, not the figure's.
    save : str or path, optional
        As :func:`plot_similar` takes it; the whole figure is saved.

    Returns
    -------
    pandas.DataFrame
        A row for each picture drawn, with the frame's labels, and two levels of columns: ``x`` and
        ``y`` for each embedding. ``.attrs["trustworthiness"]`` says for each how far its map can be
        believed (Venna and Kaski, https://doi.org/10.1007/3-540-44668-0_68): 1 if all of a
        point's 5 nearest on the map are near in truth, 0.5 for a random map.
        ``.attrs["method"]`` says how it was made.

    Raises
    ------
    KeyError
        If a column is missing, in the frame or among the coordinates.
    ValueError
        If ``method`` is unknown, fewer than 5 pictures have an embedding in all the columns,
        coordinates are of pictures that the frame lacks, or there are more or fewer axes than
        columns.
    ImportError
        If ``method="umap"`` and umap-learn is not installed.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(30)
    >>> image_df = simlib.embed(image_df, simlib.load_encoder("pixels"), progress=False)
    >>> coordinates = plot_map(image_df, "flattened_pixels", "category", method="pca")
    >>> coordinates["flattened_pixels"].shape
    (30, 2)
    """
    if method not in _MAPS:
        raise ValueError(f"method={method!r} is unknown; choose from {', '.join(_MAPS)}.")
    if thumbnails:
        require_column(image_df, "img_path")
    if label_col is not None:
        require_column(image_df, label_col)
    cols = [embedding_cols] if isinstance(embedding_cols, str) else list(embedding_cols)
    require_savable(save)
    given = None if ax is None else axes_given(ax, len(cols))
    known: dict[str, tuple[np.ndarray, float]] = {}
    if coordinates is None:
        shown = _with_all(image_df, cols, most, seed)
    else:
        shown, known = _drawn_before(image_df, cols, coordinates)
        method = coordinates.attrs.get("method", method)
    points_of, trust = {}, {}
    # A step may take long, and no bar appears within one: where it will, the bar is there at once.
    at_once = not known and method != "pca" and len(shown) >= 500
    options = {"delay": 0 if at_once else PATIENCE, "miniters": 0, "mininterval": 0}
    with (
        progress_bar("map", " steps", 3 * len(cols), progress, **options) as bar,
        panels_of(len(cols), len(cols), (3.6 * len(cols), 3.8))
        if given is None
        else nullcontext((None, given)) as (drawn, axes),
    ):
        computed = known or _maps(shown, cols, method, seed, bar)
        for axis, column in zip(axes, cols, strict=True):
            points, trust[column] = computed[column]
            points_of[column, "x"], points_of[column, "y"] = points.T
            plain = "0.9" if thumbnails else "0.6"
            _draw_points(axis, points, None if label_col is None else shown[label_col], plain)
            if thumbnails:
                _draw_thumbnails(axis, points, shown["img_path"].tolist(), thumbnails)
            axis.set_title(_strategy(column), fontsize=9, **PLAIN)
            axis.set(xticks=[], yticks=[])
        if drawn is not None:
            tighten(drawn, pad=0.5)
        maps = f"{len(cols)} maps" if len(cols) > 1 else "A map"
        coloured = "" if label_col is None else f", coloured by {_shown(label_col)}"
        finish(
            drawn or axes,
            f"{maps} of {len(shown):,} pictures ({_METHOD_NAMES[method]}) by "
            f"{', '.join(map(_strategy, cols))}{coloured}: what is similar lies close together.",
            save,
        )
    result = pd.DataFrame(points_of, index=shown.index)
    result.attrs |= {"trustworthiness": trust, "method": method}
    return result


def _with_all(image_df: pd.DataFrame, cols: list[str], most: int, seed: int) -> pd.DataFrame:
    """Return the rows, or so many of them, that have an embedding in all the columns."""
    usable = np.ones(len(image_df), dtype=bool)
    for column in cols:
        embeddings = Embeddings.of(image_df, column)
        usable &= np.isin(
            np.arange(len(image_df)), embeddings.positions[embeddings.have_direction()]
        )
    if usable.sum() < 5:
        raise ValueError(f"A map needs 5 pictures or more; {usable.sum()} have embeddings.")
    shown = image_df[usable]
    if len(shown) > most:
        chosen = np.random.default_rng(seed).choice(len(shown), most, replace=False)
        shown = shown.iloc[np.sort(chosen)]
    return shown


def _drawn_before(
    image_df: pd.DataFrame, cols: list[str], coordinates: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, tuple[np.ndarray, float]]]:
    """Return the rows of a map that was drawn, and its points and trustworthiness by column."""
    known: dict[str, tuple[np.ndarray, float]] = {}
    for column in cols:
        if (column, "x") not in coordinates or (column, "y") not in coordinates:
            raise KeyError(
                f"The coordinates are not of {short_repr(column)}; give what plot_map returned for "
                "it."
            )
        trust = coordinates.attrs.get("trustworthiness", {}).get(column, float("nan"))
        known[column] = coordinates[column][["x", "y"]].to_numpy(), trust
    missing = ~coordinates.index.isin(image_df.index)
    if missing.any() or not image_df.index.is_unique:
        raise ValueError(
            f"{missing.sum()} of the {len(coordinates)} coordinates are of pictures that the frame "
            "lacks; give the frame that was drawn, with its labels as they were."
        )
    return image_df.loc[coordinates.index], known


def _maps(
    shown: pd.DataFrame, cols: list[str], method: str, seed: int, bar: tqdm
) -> dict[str, tuple[np.ndarray, float]]:
    """Return the points and the trustworthiness of each column's map; several at a time."""
    from joblib import Parallel, cpu_count, delayed
    from threadpoolctl import threadpool_limits

    # Numba's threads, which UMAP uses, can't be started from two threads at once.
    at_once = 1 if method == "umap" else min(len(cols), cpu_count())
    # Here, and not by each thread: the first to end would set it back for the others.
    with threadpool_limits(1) if at_once > 1 else nullcontext():
        found = Parallel(at_once, prefer="threads")(
            delayed(_map)(shown, column, method, seed, bar) for column in cols
        )
    return dict(zip(cols, found, strict=True))


def _map(
    shown: pd.DataFrame, column: str, method: str, seed: int, bar: tqdm
) -> tuple[np.ndarray, float]:
    """Return points in the plane, float64 ``(n, 2)`` in [0, 1], and how far to trust them.

    Takes three steps of the bar.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import trustworthiness

    rows = embedding_matrix(shown, column)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)  # (n, dim)
    components = min(50, len(rows) - 1, rows.shape[1])
    bar.set_description("map: principal components", refresh=False)
    bar.update(0)
    reduced = PCA(components, random_state=seed).fit_transform(rows)  # (n, 50)
    bar.set_description(f"map: {method}", refresh=False)
    bar.update()
    points = np.zeros((len(rows), 2))
    found = _MAPS[method](reduced, seed)
    points[:, : found.shape[1]] = found
    bar.set_description("map: trustworthiness", refresh=False)
    bar.update()
    trust = trustworthiness(rows, points, n_neighbors=min(5, (len(rows) - 1) // 2))
    bar.update()
    points -= points.min(axis=0)
    return points / np.maximum(points.max(axis=0), 1e-12), float(trust)


def _pca(reduced: np.ndarray, seed: int) -> np.ndarray:
    return reduced[:, :2]


def _tsne(reduced: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30, (len(reduced) - 1) / 3)
    # Half of scikit-learn's steps: with a few thousand points the map is as trustworthy.
    tsne = TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    # One thread: with several, sums are added in an order that changes from run to run.
    with threadpool_limits(1):
        return tsne.fit_transform(reduced)


def _umap(reduced: np.ndarray, seed: int) -> np.ndarray:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "UMAP comes with the package umap-learn, which is not installed. Run: python -m pip "
            "install umap-learn, or use method='tsne'."
        ) from error
    neighbours = min(15, len(reduced) - 1)
    return UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(reduced)


_MAPS = {"pca": _pca, "tsne": _tsne, "umap": _umap}
_METHOD_NAMES = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}


def _draw_points(
    axis: Axes, points: np.ndarray, labels: pd.Series | None, plain: str = "0.6"
) -> None:
    """Draw the points; with labels, in their colours and with their names (up to 40)."""
    from matplotlib.colors import is_color_like
    from matplotlib.patheffects import withStroke

    # Not as pandas' str, which refuses text that is not Unicode.
    texts = np.array([] if labels is None else [str(label) for label in labels], dtype=object)
    names = [] if labels is None else sorted(set(texts[labels.notna().to_numpy()]))
    are_colours = len(names) > 0 and all(map(is_color_like, names))
    axis.set_facecolor("0.94" if are_colours else "white")  # so that white things can be seen
    if labels is None or labels.isna().any():
        unnamed = points if labels is None else points[labels.isna().to_numpy()]
        axis.scatter(unnamed[:, 0], unnamed[:, 1], s=8, color=plain, linewidths=0)
    if labels is None:
        return
    wide, high = np.array(axis.get_window_extent().size) * 72 / axis.figure.dpi  # in points
    size = min(9, max(6, wide / 45))  # of the names: the larger the map
    named: list[tuple[float, float, str]] = []
    for number, name in enumerate(names):
        own = points[texts == name]
        colour = name if are_colours else _PALETTE[number % len(_PALETTE)]
        axis.scatter(own[:, 0], own[:, 1], s=8, color=colour, linewidths=0)
        if not are_colours and len(names) <= 40:
            # Where most of them are: the point whose distances to the others have the least median.
            spread = np.linalg.norm(own[:, None] - own[None], axis=2)
            x, y = own[np.median(spread, axis=1).argmin()]
            named.append((x, y, _shown(name)))
    for x, y, name in _apart(named, 0.6 * size / wide, 1.1 * size / high):
        text = axis.text(x, y, name, fontsize=size, ha="center", va="center", **PLAIN)
        text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])


def _apart(
    names: list[tuple[float, float, str]], letter: float, line: float
) -> list[tuple[float, float, str]]:
    """Move names up or down by lines, as few as possible, so that none lies on another.

    ``letter`` and ``line`` are the width and height of a letter, in the units of the places.

    Examples
    --------
    >>> _apart([(0.5, 0.5, "hat"), (0.52, 0.5, "cap"), (0.9, 0.5, "tie")], 0.01, 0.05)
    [(0.5, 0.5, 'hat'), (0.52, 0.55, 'cap'), (0.9, 0.5, 'tie')]
    """
    placed: list[tuple[float, float, str]] = []
    for x, y, name in names:
        moved = y
        for step in range(2 * len(names)):  # 0, 1, -1, 2, -2, … lines
            moved = y + (step + 1) // 2 * (line if step % 2 else -line)
            if not any(
                abs(x - left) < letter * (len(name) + len(other)) / 2
                and abs(moved - at) < 0.99 * line
                for left, at, other in placed
            ):
                break
        placed.append((x, moved, name))
    return placed


def _draw_thumbnails(axis: Axes, points: np.ndarray, img_paths: list[str], about: int) -> None:
    """Draw one picture in each occupied cell of a grid, the one nearest to the cell's middle."""
    for side in range(max(1, int(about**0.5)), int(3 * about**0.5) + 2):  # the finer, the smaller
        cells = np.minimum((points * side).astype(int), side - 1)  # (n, 2)
        if len(np.unique(cells, axis=0)) >= min(0.9 * about, len(points)):
            break
    away = np.abs(points * side - cells - 0.5).max(axis=1)
    order = np.lexsort((away, cells[:, 1], cells[:, 0]))
    _, first = np.unique(cells[order], axis=0, return_index=True)
    for place in order[first]:
        try:
            image = load_image(img_paths[place], max_pixels_side=64)
        except ImageError:
            image = _unreadable()
        image.thumbnail((48, 48))
        (x, y), half = (cells[place] + 0.5) / side, 0.45 / side
        axis.imshow(image, extent=(x - half, x + half, y - half, y + half), zorder=2)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="auto")


def _draw(axis: Axes, picture: Path | Image.Image, caption: str) -> None:
    """Draw a picture or the one at a path; one that can't be read is a cross on grey."""
    if isinstance(picture, Image.Image):
        image = picture.convert("RGB")  # a copy of the same size where it is RGB already
        image.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=2.0)
    else:
        try:
            image = load_image(picture, max_pixels_side=THUMBNAIL)
        except ImageError:
            image = _unreadable()
    axis.imshow(image)
    axis.set_title(_shown(caption), fontsize=8, pad=2, **PLAIN)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _strategy(column: str) -> str:
    """Return what an embedding column is called in a figure."""
    return STRATEGIES.get(column, _shown(column))


def _shown(text: object) -> str:
    """Return a text as it can be drawn: on one line, not too long, and without half characters."""
    line = " ".join(str(text)[: MOST_SHOWN + 1].encode(errors="backslashreplace").decode().split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"


def _unreadable() -> Image.Image:
    """Return the sign for a picture that can't be read: a cross on grey."""
    sign = Image.new("RGB", (THUMBNAIL, THUMBNAIL), "lightgrey")
    pen = ImageDraw.Draw(sign)
    far = THUMBNAIL - 1
    pen.line((0, 0, far, far), fill="grey", width=4)
    pen.line((0, far, far, 0), fill="grey", width=4)
    return sign
