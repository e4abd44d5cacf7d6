"""What a person sees: grids of pictures, and a query with its neighbours."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image, ImageDraw

from simlib.columns import Embeddings, encoder_of, require_column
from simlib.encoders import load_encoder
from simlib.images import ImageError, load_image
from simlib.search import encode_query, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 80
"""Dots per inch of a figure: enough to recognise the products, and a notebook stays small."""

THUMBNAIL = 224
"""The longer side of a picture in a figure, in pixels."""


def plot_similar(
    df: pd.DataFrame,
    embedding_col: str,
    query_index: Hashable,
    k_neighbors: int = 5,
) -> pd.DataFrame:
    """Draw a picture and its most similar neighbours, in order.

    Parameters
    ----------
    df : pandas.DataFrame
        With ``img_path`` and the embedding column.
    embedding_col : str
        The embeddings to compare.
    query_index : label
        The label, in the frame's index, of the picture to search with.
    k_neighbors : int
        How many neighbours to draw.

    Returns
    -------
    pandas.DataFrame
        What :func:`simlib.nearest` found. Call ``matplotlib.pyplot.show()`` after it, or end a
        notebook's cell with it.

    Raises
    ------
    KeyError, ValueError
        As :func:`simlib.nearest` does.

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
    neighbours = nearest(df, embedding_col, query_index, k_neighbors)
    captions = [f"{similarity:.2f}" for similarity in neighbours["cosine_similarity"]]
    draw_neighbours(
        df.at[query_index, "img_path"], neighbours["img_path"], captions, title=embedding_col
    )
    return neighbours


def text_image_search(
    text_query: str,
    df: pd.DataFrame,
    img_emb_col: str,
    k: int = 5,
    model: object | None = None,
) -> pd.DataFrame:
    """Draw the pictures that fit a text best, in order.

    Parameters
    ----------
    text_query : str
        What to look for, such as ``"a photo of a women's dress"``. It is always read as text, also
        if it looks like a path or an address.
    df : pandas.DataFrame
        With ``img_path`` and the embedding column.
    img_emb_col : str
        Embeddings of an image-text network, such as ``"clip_img_embedding"``.
    k : int
        How many pictures to draw.
    model : Encoder or SentenceTransformer, optional
        The network that made the column. By default the one that did so in this session, else the
        compact one, ``simlib.load_encoder("clip")``.

    Returns
    -------
    pandas.DataFrame
        ``rank``, ``index``, ``cosine_similarity`` and ``img_path``, as :func:`simlib.nearest`
        gives them.

    Raises
    ------
    KeyError
        If the frame has no such column.
    TypeError
        If the model can't encode text.
    ValueError
        If the text is empty, ``k`` is less than 1, or the model's embeddings have another
        dimension than the column's.

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
    embeddings = Embeddings.of(df, img_emb_col)
    if model is None:
        model = encoder_of(embeddings) or load_encoder("clip")
    vector = encode_query(model, text_query)
    if len(vector) != embeddings.dim:
        raise ValueError(
            f"The model {type(model).__name__} gives {len(vector)} values, but the embeddings in "
            f"{img_emb_col!r} have {embeddings.dim}: another model made them. Pass that one as "
            "model=, or embed the pictures with this one."
        )
    found = nearest(df, img_emb_col, vector, k)
    captions = [f"{similarity:.2f}" for similarity in found["cosine_similarity"]]
    draw_neighbours(None, found["img_path"], captions, title=f"“{text_query}”")
    return found


def draw_neighbours(
    query: object | None, img_paths: Sequence[str], captions: Sequence[str], title: str = ""
) -> Figure:
    """Draw a query (a path, a picture, or None for none) in a frame, and its neighbours."""
    import matplotlib.pyplot as plt

    pictures = [*([] if query is None else [query]), *img_paths]
    captions = [*([] if query is None else ["query"]), *captions]
    figure, axes = plt.subplots(
        1, len(pictures), figsize=(1.5 * len(pictures), 1.9), dpi=DPI, squeeze=False
    )
    for axis, picture, caption in zip(axes[0], pictures, captions, strict=True):
        _draw(axis, picture, caption)
    if query is not None:
        for spine in axes[0, 0].spines.values():
            spine.set(visible=True, color="tab:orange", linewidth=2.5)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4)
    return figure


def plot_grid(
    df: pd.DataFrame,
    columns: int = 8,
    captions: str | Iterable[str] | None = None,
    size: float = 1.2,
) -> Figure:
    """Draw all pictures of a frame in a grid, row by row.

    Parameters
    ----------
    df : pandas.DataFrame
        With ``img_path``. Pass few rows, such as ``image_df.sample(24, random_state=0)``.
    columns : int
        Pictures side by side.
    captions : str or iterable of str, optional
        The name of a column whose values stand above the pictures, or the captions themselves.
    size : float
        Width and height of a cell, in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KeyError
        If the frame has no column ``img_path``, or none of the captions' name.
    ValueError
        If the frame is empty, ``columns`` is less than 1, or there are more or fewer captions than
        pictures.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> figure = plot_grid(simlib.load_catalogue("sample").head(10), columns=5, captions="colour")
    >>> len(figure.axes)
    10
    """
    import matplotlib.pyplot as plt

    require_column(df, "img_path")
    if df.empty or columns < 1:
        raise ValueError(
            f"A grid of {columns} columns can't show {len(df)} pictures; both must be at least 1."
        )
    if isinstance(captions, str):
        require_column(df, captions)
        captions = ["" if pd.isna(value) else str(value) for value in df[captions]]
    captions = [""] * len(df) if captions is None else list(captions)
    if len(captions) != len(df):
        raise ValueError(f"There are {len(captions)} captions for {len(df)} pictures.")
    columns = min(columns, len(df))
    rows = -(-len(df) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, (size + 0.15) * rows), dpi=DPI, squeeze=False
    )
    for axis in axes.flat[len(df) :]:
        axis.remove()
    for axis, path, caption in zip(figure.axes, df["img_path"], captions, strict=True):
        _draw(axis, path, caption)
    figure.tight_layout(pad=0.3)
    return figure


def _draw(axis: Axes, picture: object, caption: str) -> None:
    """Draw a picture or the one at a path; one that can't be read is a cross on grey."""
    if isinstance(picture, Image.Image):
        image = picture.convert("RGB")
    else:
        try:
            image = load_image(picture, max_pixels_side=THUMBNAIL)
        except ImageError:
            image = _unreadable()
    axis.imshow(image)
    axis.set_title(caption, fontsize=8, pad=2, parse_math=False)  # a $ in it is a dollar
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _unreadable() -> Image.Image:
    """Return the sign for a picture that can't be read: a cross on grey."""
    sign = Image.new("RGB", (THUMBNAIL, THUMBNAIL), "lightgrey")
    pen = ImageDraw.Draw(sign)
    far = THUMBNAIL - 1
    pen.line((0, 0, far, far), fill="grey", width=4)
    pen.line((0, far, far, 0), fill="grey", width=4)
    return sign
