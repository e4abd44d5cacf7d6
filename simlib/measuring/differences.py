"""Which of two embeddings is better, and how sure that is: both are asked the same queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from simlib.measuring.evaluation import (
    bootstrap_interval,
    duplicates_among,
    evaluate_queries,
)

__all__ = ["paired_difference"]

COLUMNS = ["first", "second", "label", "measure", "difference", "low", "high", "queries"]


def paired_difference(
    image_df: pd.DataFrame,
    embedding_cols: Sequence[str],
    label_col: str | Sequence[str] = "category",
    k: int | Sequence[int] = 5,
    gallery_df: pd.DataFrame | None = None,
    leave_out_duplicates: bool | pd.DataFrame = False,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure how much better one embedding finds than another, query by query.

    Two intervals that overlap say little: most of their width is that some queries are hard for
    everyone. Here each query is asked of both, what the second scores is subtracted from what the
    first scores, and the interval is that of the mean of these differences: the paired bootstrap
    over queries (Sakai, "Evaluating Evaluation Metrics based on the Bootstrap", SIGIR 2006,
    https://doi.org/10.1145/1148170.1148261), with percentiles as :func:`simlib.evaluate` takes
    them. Where the interval does not hold 0, the choice of queries alone does not explain the
    difference. Of many pairs some do so by chance.

    Parameters
    ----------
    image_df : pandas.DataFrame
        The queries.
    embedding_cols : sequence of str
        Two embedding columns or more; every pair of them is compared.
    label_col, k, gallery_df, leave_out_duplicates, seed
        As :func:`simlib.evaluate` takes them.
    progress : bool
        Whether to show progress bars where it takes more than a second.

    Returns
    -------
    pandas.DataFrame
        A row for each pair, label column and measure: ``first``, ``second``, ``label``,
        ``measure``, ``difference`` (float64, the mean of first minus second, from -1 to 1),
        ``low`` and ``high`` (its 95% interval; NaN with fewer than two queries) and ``queries``:
        how many count for both.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If there are fewer than two columns, or as :func:`simlib.evaluate` does.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {
    ...         "category": ["hat", "hat", "shoe", "shoe"],
    ...         "good": [[9, 1], [8, 1], [1, 8], [1, 9]],
    ...         "poor": [[1, 0], [2, 1], [0, 1], [1, 1]],
    ...     }
    ... )
    >>> result = paired_difference(frame, ["good", "poor"], k=1)
    >>> print(result[["first", "second", "measure", "difference"]].head(1).to_string(index=False))
    first second     measure  difference
     good   poor precision@1         0.5
    """
    columns = [embedding_cols] if isinstance(embedding_cols, str) else list(embedding_cols)
    if len(set(columns)) < 2:
        raise ValueError(
            f"A difference needs two embedding columns, but there are {columns!r}. Name two: "
            "embedding_cols=['towhee_img_embedding', 'clip_img_embedding']."
        )
    if leave_out_duplicates is True:  # once for all columns
        frames = [image_df] if gallery_df is None else [image_df, gallery_df]
        leave_out_duplicates = duplicates_among(*frames, progress=progress)
    scores = {}
    for column in dict.fromkeys(columns):
        _, scores[column] = evaluate_queries(
            image_df, column, label_col, k, gallery_df,
            leave_out_duplicates=leave_out_duplicates, seed=seed, progress=progress,
        )  # fmt: skip
    return differences_of(scores, seed)


def differences_of(scores: Mapping[str, dict[str, pd.DataFrame]], seed: int) -> pd.DataFrame:
    """Return the differences of every pair.

    ``scores`` are what :func:`simlib.measuring.evaluation.evaluate_queries` says of each query, by
    the name of what was measured and by label column; all of the same queries.
    """
    rows = []
    for first, second in combinations(scores, 2):
        for label, ours in scores[first].items():
            theirs = scores[second][label]
            measures = ours.columns.intersection(theirs.columns, sort=False)
            # By position: labels of the frame may repeat.
            apart = ours[measures].to_numpy() - theirs[measures].to_numpy()  # (queries, measures)
            apart = apart[~np.isnan(apart).any(axis=1)]
            if len(apart) == 0:
                continue  # no query has an embedding of both
            low, high = bootstrap_interval(apart, seed)
            for place, measure in enumerate(measures):
                numbers = apart[:, place].mean(), low[place], high[place]
                rows.append((first, second, label, measure, *map(float, numbers), len(apart)))
    return pd.DataFrame(rows, columns=COLUMNS)
