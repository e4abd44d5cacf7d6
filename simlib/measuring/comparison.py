"""All strategies on one table: what each costs and what it finds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from simlib.columns import Embeddings, encoder_of, require_column
from simlib.embedding import embed, embed_silently
from simlib.encoders.base import Encoder, TextEncoder, require_encoder
from simlib.exact import top_k
from simlib.measuring.differences import differences_of
from simlib.measuring.evaluation import (
    bootstrap_interval,
    duplicates_among,
    evaluate_queries,
    without_duplicates,
)

__all__ = ["compare", "text_precision_at_k"]

TEMPLATES = {"category": "a photo of a {}", "colour": "a photo of something {}"}
"""How a label is asked for in words, by the name of its column."""

TEMPLATE = "a photo of a {}"
"""The same for all other columns."""


def compare(
    image_df: pd.DataFrame,
    encoders: Sequence[Encoder] | Mapping[str, Encoder],
    label_cols: Sequence[str] | None = None,
    k: int = 5,
    gallery_df: pd.DataFrame | None = None,
    templates: Mapping[str, str] | None = None,
    timed: int = 64,
    leave_out_duplicates: bool | pd.DataFrame = False,
    progress: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Return one table of what each encoder costs and how well a search with it does.

    Parameters
    ----------
    image_df : pandas.DataFrame
        The queries, with ``img_path`` and the label columns. Embeddings that an encoder made in
        this session are used; the others are made (or taken from the cache).
    encoders : sequence or mapping of Encoder
        What to compare, by name in a mapping; in a sequence each has its own ``.name``.
    label_cols : sequence of str, optional
        What makes pictures belong together; by default ``category`` and ``colour``, where there.
    k : int
        How many neighbours precision@k looks at.
    gallery_df : pandas.DataFrame, optional
        The pictures to search; by default the queries themselves, each without its own picture.
    templates : mapping of str to str, optional
        The words that ask for a label, by label column: ``{"category": "a photo of a {}"}``.
    timed : int
        On how many pictures the time is measured: opened, decoded, prepared and encoded without
        the cache, by :func:`simlib.embed` as it is, after a warm-up. 0 leaves the time out (NaN).
    leave_out_duplicates : bool or pandas.DataFrame
        As :func:`simlib.evaluate` takes it.
    progress : bool
        Whether to show progress bars while pictures are embedded and searched.
    seed : int
        For the intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each encoder and two levels of columns. Under ``cost``: ``dimensions``, ``bytes a
        picture`` (float32) and ``seconds per 1,000``. Under ``precision@5 by category``, ``mAP@R by
        category`` and so on: ``mean``, ``low`` and ``high``, as :func:`simlib.evaluate` measures
        them. Under ``text precision@5 by category``, for encoders that read text: each label is
        put into words, and of the k pictures of ``image_df`` nearest to them the share with that
        label is taken; the mean and the interval are over labels. Missing for the others.

        ``.attrs["chance"]`` holds what picking at random would reach, for each precision, and
        ``.attrs["differences"]`` the paired difference of every two encoders with its interval, as
        :func:`simlib.paired_difference` measures it: a list of rows, which
        ``pandas.DataFrame(table.attrs["differences"])`` makes a table of.

    Raises
    ------
    KeyError
        If a column is missing.
    TypeError
        If something among the encoders is not one.
    ValueError
        If there is nothing to compare or to measure by, or two encoders have one name.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").groupby("category").head(3)
    >>> sizes = {f"{n} × {n}": simlib.load_encoder("pixels", size=(n, n)) for n in (2, 16)}
    >>> table = compare(image_df, sizes, ["category"], timed=0, progress=False)
    >>> table["cost"]["dimensions"].tolist()
    [12, 768]
    >>> table.xs("mean", axis=1, level=1).columns.tolist()
    ['precision@5 by category', 'mAP@R by category']
    >>> differences = pd.DataFrame(table.attrs["differences"])
    >>> differences[["first", "second", "measure"]].iloc[0].tolist()
    ['2 × 2', '16 × 16', 'precision@5']
    """
    encoders = named(encoders)
    if label_cols is None:
        label_cols = [column for column in TEMPLATES if column in image_df]
    label_cols = [label_cols] if isinstance(label_cols, str) else list(label_cols)
    if not label_cols:
        raise ValueError(
            "There is nothing to measure by: the frame has neither 'category' nor 'colour'. Name "
            "the columns that hold labels: label_cols=[...]."
        )
    for column in label_cols:
        require_column(image_df, column)
    templates = {**{column: TEMPLATE for column in label_cols}, **TEMPLATES, **(templates or {})}

    if leave_out_duplicates is True:  # once for all encoders
        frames = [image_df] if gallery_df is None else [image_df, gallery_df]
        leave_out_duplicates = duplicates_among(*frames, progress=progress)

    scores = {}
    rows: dict[str, dict[tuple[str, str], float]] = {}
    for name, encoder in encoders.items():
        queries = with_embedding(image_df, encoder, progress)
        gallery = None if gallery_df is None else with_embedding(gallery_df, encoder, progress)
        seconds = _seconds_per_1000(image_df, encoder, timed)
        measured, scores[name] = evaluate_queries(
            queries, encoder.column, label_cols, k, gallery,
            leave_out_duplicates=leave_out_duplicates, seed=seed, progress=progress,
        )  # fmt: skip
        dim = Embeddings.of(queries, encoder.column).dim
        row: dict[tuple[str, str], float] = {
            ("cost", "dimensions"): dim,
            ("cost", "bytes a picture"): 4 * dim,
            ("cost", "seconds per 1,000"): seconds,
        }
        for measure in (f"precision@{k}", "mAP@R"):
            for found in measured[measured["measure"] == measure].itertuples():
                for part in ("mean", "low", "high"):
                    row[f"{measure} by {found.label}", part] = getattr(found, part)
        if isinstance(encoder, TextEncoder):
            for column in label_cols:
                by_label = text_precision_at_k(queries, encoder, column, k, templates[column])
                interval = bootstrap_interval(by_label.to_numpy(), seed)
                measure = f"text precision@{k} by {column}"
                row[measure, "mean"] = float(by_label.mean())
                row[measure, "low"], row[measure, "high"] = map(float, interval)
        rows[name] = row
    # The widest row first, so that its columns give the order.
    widest = max(rows.values(), key=lambda row: len(row))
    columns = pd.MultiIndex.from_tuples(list(widest))
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    if leave_out_duplicates is not False:
        image_df, gallery_df = without_duplicates(image_df, gallery_df, leave_out_duplicates)
    # Plain rows: pandas compares attrs, which a frame among them would make an error of.
    differences = differences_of(scores, seed)
    differences = differences[differences["measure"].isin([f"precision@{k}", "mAP@R"])]
    table.attrs["differences"] = differences.to_dict("records")
    table.attrs["chance"] = {}
    for column in label_cols:
        of_pictures, of_labels = chance_precision(image_df, gallery_df, column)
        table.attrs["chance"][f"precision@{k} by {column}"] = of_pictures
        table.attrs["chance"][f"text precision@{k} by {column}"] = of_labels
    return table


def text_precision_at_k(
    image_df: pd.DataFrame,
    encoder: TextEncoder,
    label_col: str = "category",
    k: int = 5,
    template: str = TEMPLATE,
) -> pd.Series:
    """Return, for each label as a text query, the share of the k nearest pictures that have it.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With the encoder's column.
    encoder : TextEncoder
        Reads text, as ``simlib.load_encoder("clip")`` does.
    label_col : str
        The labels to ask for.
    k : int
        How many pictures are looked at. A label with fewer pictures can't reach 1.
    template : str
        The text; ``{}`` stands for the label.

    Returns
    -------
    pandas.Series
        float64, sorted by label.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If no picture has a label, or ``k`` is out of range.

    Examples
    --------
    >>> class Reader:  # a network of two words
    ...     column = "own"
    ...     def encode_text(self, texts):
    ...         return np.array([[1, 0] if "hat" in text else [0, 1] for text in texts], "float32")
    >>> frame = pd.DataFrame(
    ...     {"category": ["hat", "hat", "tie"], "own": [[1, 0], [2, 1], [1, 3]]}
    ... )
    >>> text_precision_at_k(frame, Reader(), k=2).to_dict()
    {'hat': 1.0, 'tie': 0.5}
    """
    require_column(image_df, label_col)
    names = sorted(image_df[label_col].dropna().unique())
    if not names:
        raise ValueError(f"No picture has a label in {label_col!r}, so there is none to ask for.")
    texts = encoder.encode_text([template.format(name) for name in names])  # (labels, dim)
    pictures = Embeddings.of(image_df, encoder.column)
    places, _ = top_k(Embeddings.of_matrix(texts), pictures, k)
    found = image_df[label_col].to_numpy(dtype=object)[pictures.positions[places]]
    hits = found == np.array(names, dtype=object)[:, None]  # (labels, k)
    return pd.Series(hits.mean(axis=1), index=pd.Index(names, name=label_col))


def named(encoders: Sequence[Encoder] | Mapping[str, Encoder]) -> dict[str, Encoder]:
    """Return the encoders by name, or raise an error that says what is wrong with them."""
    if isinstance(encoders, Encoder):
        encoders = [encoders]
    if not isinstance(encoders, Mapping):
        pairs = [(getattr(encoder, "name", repr(encoder)), encoder) for encoder in encoders]
        if len(dict(pairs)) < len(pairs):
            raise ValueError(
                f"Two encoders have one name: {', '.join(name for name, _ in pairs)}. Name them "
                "yourself: {'small': encoder, 'large': other}."
            )
        encoders = dict(pairs)
    if not encoders:
        raise ValueError("There is no encoder to compare; give at least one.")
    for encoder in encoders.values():
        require_encoder(encoder)
    return dict(encoders)


def with_embedding(image_df: pd.DataFrame, encoder: Encoder, progress: bool) -> pd.DataFrame:
    """Return the frame with the encoder's column, made only if this encoder did not yet."""
    if encoder.column in image_df and image_df[encoder.column].notna().any():
        if encoder_of(Embeddings.of(image_df, encoder.column)) is encoder:
            return image_df
    return embed(image_df, encoder, progress=progress)


def _seconds_per_1000(image_df: pd.DataFrame, encoder: Encoder, timed: int) -> float:
    if timed < 1:
        return float("nan")
    paths = image_df[["img_path"]]
    chosen = paths.iloc[np.linspace(0, len(paths) - 1, min(timed, len(paths))).astype(int)]
    embed_silently(chosen.head(8), encoder, cache=False, progress=False)
    started = time.perf_counter()
    embed_silently(chosen, encoder, cache=False, progress=False)
    return (time.perf_counter() - started) * 1_000 / len(chosen)


def chance_precision(
    image_df: pd.DataFrame, gallery_df: pd.DataFrame | None, column: str
) -> tuple[float, float]:
    """Return the precision of a random choice, for pictures and for labels as queries."""
    own = int(gallery_df is None)  # a picture is not offered to itself
    gallery = image_df if gallery_df is None else gallery_df
    # As whole numbers: pandas' str refuses text that is not Unicode.
    both = pd.concat([image_df[column].astype(object), gallery[column].astype(object)])
    codes, names = pd.factorize(both)
    asked, offered = codes[: len(image_df)], codes[len(image_df) :]
    sizes = np.bincount(offered[offered >= 0], minlength=len(names))
    others = sizes[asked[asked >= 0]] - own
    by_picture = (others[others > 0] / (len(gallery) - own)).mean()
    of_labels = np.bincount(asked[asked >= 0])
    return float(by_picture), float((of_labels[of_labels > 0] / len(image_df)).mean())
