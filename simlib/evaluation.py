"""How good is a search? Measured by whether the neighbours share the query's label."""

from __future__ import annotations

import pandas as pd

from simlib.columns import Embeddings, require_column
from simlib.search import top_k


def precision_at_k(
    image_df: pd.DataFrame,
    embedding_col: str,
    label_col: str | list[str] = "category",
    k: int = 5,
    gallery_df: pd.DataFrame | None = None,
) -> pd.Series | pd.DataFrame:
    """Return, for every picture as a query, the share of its k nearest that have its label.

    Precision@k as information retrieval defines it (Manning, Raghavan and Schütze, "Introduction
    to Information Retrieval", chapter 8, https://nlp.stanford.edu/IR-book/): 1 when all ``k``
    neighbours fit, 0 when none does. The mean over the queries is the usual single figure.

    Parameters
    ----------
    image_df : pandas.DataFrame
        The queries.
    embedding_col : str
        The embeddings to compare.
    label_col : str or list of str
        What makes two pictures belong together, such as ``"category"`` or ``"colour"``. Several
        are measured in one search.
    k : int
        How many neighbours are looked at.
    gallery_df : pandas.DataFrame, optional
        The pictures to search; by default the queries themselves, each without its own picture.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        float64, one value a query, with the frame's index; a frame with a column for each label
        if a list of them was given. Missing (NaN) for queries without an
        embedding, without a label, or whose label no other picture of the gallery has.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``k`` is less than 1, or the gallery has fewer than ``k`` pictures to offer.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"category": ["hat", "hat", "shoe", "shoe"], "own": [[1, 0], [2, 1], [0, 1], [1, 3]]}
    ... )
    >>> precision_at_k(frame, "own", k=1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> precision_at_k(frame, "own", k=2).mean().item()
    0.5
    """
    same = gallery_df is None
    gallery_df = image_df if same else gallery_df
    label_cols = [label_col] if isinstance(label_col, str) else list(label_col)
    for frame in (image_df, gallery_df):
        for column in label_cols:
            require_column(frame, column)
    queries = Embeddings.of(image_df, embedding_col)
    gallery = queries if same else Embeddings.of(gallery_df, embedding_col)
    places, _ = top_k(queries, gallery, k, leave_own_out=same)  # (queries, k)

    precision = pd.DataFrame(float("nan"), index=image_df.index, columns=label_cols)
    for place, column in enumerate(label_cols):
        gallery_labels = gallery_df[column].iloc[gallery.positions].to_numpy(dtype=object)
        labels = image_df[column].iloc[queries.positions].to_numpy(dtype=object)
        hits = (gallery_labels[places] == labels[:, None]).mean(axis=1)
        partners = pd.Series(gallery_labels).value_counts()
        findable = pd.Series(labels).map(partners).fillna(0).to_numpy() > int(same)
        precision.iloc[queries.positions[findable], place] = hits[findable]
    if isinstance(label_col, str):
        return precision[label_col].rename(f"precision@{k}")
    return precision
