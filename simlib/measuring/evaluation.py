"""How good is a search? Measured by whether the neighbours share the query's label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.columns import Embeddings, require_column
from simlib.exact import best_places, similarity_blocks
from simlib.measuring.duplicates import find_duplicates
from simlib.progress import progress_bar

__all__ = ["bootstrap_interval", "evaluate", "precision_at_k"]

RESAMPLES = 2_000
"""How often the queries are resampled for an interval."""

RECALLS = {"any": "recall@{}", "share": "recall@{} (share)"}
"""The two measures that go by the name recall@k, and what they are called here."""


def evaluate(
    image_df: pd.DataFrame,
    embedding_col: str,
    label_col: str | Sequence[str] = "category",
    k: int | Sequence[int] = 5,
    gallery_df: pd.DataFrame | None = None,
    recall: str = "any",
    leave_out_duplicates: bool | pd.DataFrame = False,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure how well a search finds what has the query's label.

    Every picture is a query once and all others are its gallery. With R for the number of other
    pictures that have the query's label, each query scores

    - **precision@k**: the share of its k nearest that have its label (Manning, Raghavan and
      Schütze, "Introduction to Information Retrieval", chapter 8,
      https://nlp.stanford.edu/IR-book/). Where R is less than k, no search can reach 1.
    - **recall@k**, as papers on metric learning and product search report it: 1 if at least one of
      the k nearest has its label, else 0 (Song, Xiang, Jegelka and Savarese,
      https://arxiv.org/abs/1511.06452; recommender systems call it hit rate). With
      ``recall="share"`` it is recall as information retrieval defines it, the share of the R that
      stands among the k nearest, and is called ``recall@k (share)``.
    - **R-precision**: the share of its R nearest that have its label. It is 1 exactly when all
      that belong to the query stand before all others.
    - **mAP@R**: the precision at the place of each hit among the R nearest, summed and divided
      by R (not by the hits found). Where R-precision only counts, it also asks how early the hits
      come. Musgrave, Belongie and Lim, "A Metric Learning Reality Check"
      (https://arxiv.org/abs/2003.08505), recommend it over recall@1.

    The figures are means over the queries, so that a label with many pictures weighs more.

    Parameters
    ----------
    image_df : pandas.DataFrame
        The queries.
    embedding_col : str
        The embeddings to compare.
    label_col : str or list of str
        What makes two pictures belong together. Several are measured in one search.
    k : int or list of int
        How many neighbours precision@k and recall@k look at.
    gallery_df : pandas.DataFrame, optional
        The pictures to search; by default the queries themselves, each without its own picture.
    recall : str
        ``"any"`` or ``"share"``, as above.
    leave_out_duplicates : bool or pandas.DataFrame
        Near-duplicates are found by any method and so flatter all of them. With True they are
        looked for by :func:`simlib.find_duplicates`, also between queries and gallery; or give
        its result. Of each group only the first query stays, and of the gallery only what is in
        no group with a query.
    seed : int
        For the intervals.
    progress : bool
        Whether to show a progress bar where it takes more than a second.

    Returns
    -------
    pandas.DataFrame
        A row for each label column and measure: ``label``, ``measure``, ``mean`` (float64, from 0
        to 1), ``low`` and ``high`` (its 95% interval: the 2.5th and the 97.5th percentile of the
        mean over 2,000 bootstrap samples of the queries; Efron,
        https://doi.org/10.1214/aos/1176344552) and ``queries``, over how many. The interval says
        how much depends on the choice of queries, and nothing of how another catalogue would do;
        with one query it is NaN.

        ``.attrs`` counts what was left out: ``without_embedding`` and ``zero_embeddings`` (also
        those not finite) and ``duplicates``, of queries and gallery together; and by label column
        the queries ``without_label`` and the ``single`` ones, whose label no other picture has.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``k`` is not from 1 to the number of neighbours that the gallery offers, ``recall`` is
        unknown, or no query is left.

    Notes
    -----
    Exact, and without a matrix of all pairs: 100,000 pictures in 100 labels of 1,000 take a few
    hundred megabytes.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"category": ["hat", "hat", "shoe", "shoe"], "own": [[1, 0], [2, 1], [0, 1], [1, 1]]}
    ... )
    >>> result = evaluate(frame, "own", k=1)
    >>> print(result[["label", "measure", "mean", "queries"]].to_string(index=False))
       label     measure  mean  queries
    category precision@1   0.5        4
    category    recall@1   0.5        4
    category R-precision   0.5        4
    category       mAP@R   0.5        4
    """
    return evaluate_queries(
        image_df, embedding_col, label_col, k, gallery_df, recall, leave_out_duplicates, seed,
        progress,
    )[0]  # fmt: skip


def evaluate_queries(
    image_df: pd.DataFrame,
    embedding_col: str,
    label_col: str | Sequence[str] = "category",
    k: int | Sequence[int] = 5,
    gallery_df: pd.DataFrame | None = None,
    recall: str = "any",
    leave_out_duplicates: bool | pd.DataFrame = False,
    seed: int = 0,
    progress: bool = True,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return what :func:`evaluate` does, and by label column what each query scores.

    The scores are float64, a row for each query that was not left out as a duplicate, in the
    frame's order, and a column for each measure; NaN for queries that don't count.
    """
    if recall not in RECALLS:
        raise ValueError(f"recall={recall!r} is unknown; choose 'any' or 'share'.")
    label_cols = [label_col] if isinstance(label_col, str) else list(label_col)
    ks = [k] if isinstance(k, (int, np.integer)) else list(k)
    rows = len(image_df) + (0 if gallery_df is None else len(gallery_df))
    if leave_out_duplicates is not False:
        image_df, gallery_df = without_duplicates(
            image_df, gallery_df, leave_out_duplicates, progress
        )
    left = len(image_df) + (0 if gallery_df is None else len(gallery_df))
    task = _Task.of(image_df, embedding_col, gallery_df)
    scores = _scores(task, label_cols, ks, ranked=True, progress=progress)

    measures = [f"precision@{n}" for n in ks]
    measures += [RECALLS[recall].format(n) for n in ks] + ["R-precision", "mAP@R"]
    result = []
    for column in label_cols:
        counted = scores[column].dropna()
        if counted.empty:
            raise ValueError(
                f"There is nothing to measure by {column!r}: no query has a label that another "
                "picture of the gallery has, too."
            )
        low, high = bootstrap_interval(counted[measures].to_numpy(), seed)
        for place, measure in enumerate(measures):
            mean = counted[measure].mean()
            result.append((column, measure, mean, low[place], high[place], len(counted)))
    frame = pd.DataFrame(result, columns=["label", "measure", "mean", "low", "high", "queries"])
    frame.attrs = {
        "without_embedding": task.without_embedding,
        "zero_embeddings": task.zero_embeddings,
        "duplicates": rows - left,
        "without_label": {column: task.without_label(column) for column in label_cols},
        "single": {column: task.single(column) for column in label_cols},
    }
    return frame, {column: scores[column][measures] for column in label_cols}


def precision_at_k(
    image_df: pd.DataFrame,
    embedding_col: str,
    label_col: str | list[str] = "category",
    k: int = 5,
    gallery_df: pd.DataFrame | None = None,
    progress: bool = True,
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
    progress : bool
        Whether to show a progress bar where it takes more than a second.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        float64, one value a query, with the frame's index; a frame with a column for each label
        if a list of them was given. Missing (NaN) for queries without an embedding (or with one
        that is zero or not finite), without a label, or whose label no other picture of the
        gallery has.

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
    label_cols = [label_col] if isinstance(label_col, str) else list(label_col)
    task = _Task.of(image_df, embedding_col, gallery_df)
    scores = _scores(task, label_cols, [k], ranked=False, progress=progress)
    name = f"precision@{k}"
    if isinstance(label_col, str):
        return scores[label_col][name].rename(name)
    return pd.DataFrame({column: scores[column][name] for column in label_cols})


def bootstrap_interval(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95% percentile bootstrap interval of the mean over the first axis.

    Parameters
    ----------
    values : numpy.ndarray
        float64 ``(queries,)`` or ``(queries, measures)``, without NaN.
    seed : int
        The same seed gives the same interval.

    Returns
    -------
    low, high : numpy.ndarray
        float64 ``()`` or ``(measures,)``; NaN for fewer than two queries.

    Examples
    --------
    >>> low, high = bootstrap_interval(np.array([0.0, 1.0] * 50))
    >>> print(f"0.50 ({low:.1f} to {high:.1f})")
    0.50 (0.4 to 0.6)
    """
    from scipy.stats import bootstrap

    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return (np.full(values.shape[1:], np.nan),) * 2
    interval = bootstrap(
        (values,),
        np.mean,
        axis=0,
        n_resamples=RESAMPLES,
        confidence_level=0.95,
        method="percentile",
        batch=max(1, 2**22 // values.size),  # 32 MB at a time
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return interval.low, interval.high


class _Task(NamedTuple):
    """Which embeddings look for which; only those that can be compared."""

    image_df: pd.DataFrame
    gallery_df: pd.DataFrame
    queries: Embeddings
    gallery: Embeddings
    same: bool
    without_embedding: int
    zero_embeddings: int

    @classmethod
    def of(
        cls, image_df: pd.DataFrame, embedding_col: str, gallery_df: pd.DataFrame | None
    ) -> _Task:
        same = gallery_df is None
        frames = [image_df] if gallery_df is None else [image_df, gallery_df]
        every = [Embeddings.of(frame, embedding_col) for frame in frames]
        usable = [embeddings.some(embeddings.have_direction()) for embeddings in every]
        return cls(
            image_df,
            frames[-1],
            usable[0],
            usable[-1],
            same,
            sum(map(len, frames)) - sum(map(len, every)),
            sum(map(len, every)) - sum(map(len, usable)),
        )

    def codes(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels of queries and gallery as whole numbers; -1 where one is missing."""
        for frame in (self.image_df, self.gallery_df):
            require_column(frame, column)
        labels = [
            self.image_df[column].iloc[self.queries.positions].astype(object),
            self.gallery_df[column].iloc[self.gallery.positions].astype(object),
        ]
        codes, _ = pd.factorize(pd.concat(labels))
        return codes[: len(self.queries)], codes[len(self.queries) :]

    def others(self, column: str) -> np.ndarray:
        """Return, for each query, R: how many other pictures have its label; -1 without one."""
        asked, offered = self.codes(column)
        sizes = np.bincount(offered[offered >= 0], minlength=max(asked.max(initial=-1) + 1, 1))
        return np.where(asked >= 0, sizes[asked] - int(self.same), -1)

    def without_label(self, column: str) -> int:
        return int((self.others(column) == -1).sum())

    def single(self, column: str) -> int:
        return int((self.others(column) == 0).sum())


def _scores(
    task: _Task, label_cols: list[str], ks: list[int], ranked: bool, progress: bool = False
) -> dict[str, pd.DataFrame]:
    """Return, for each label column, what each query scores; NaN for queries that don't count.

    ``ranked`` asks for R-precision and mAP@R, too, which look as deep as R.
    """
    available = max(0, len(task.gallery) - task.same)
    for k in ks:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= available:
            raise ValueError(f"k={k!r} is out of range: the gallery offers {available} neighbours.")
    measures = [form.format(k) for k in ks for form in ("precision@{}", *RECALLS.values())]
    measures += ["R-precision", "mAP@R"] if ranked else []
    labels = {column: (*task.codes(column), task.others(column)) for column in label_cols}
    found = {column: np.full((len(task.queries), len(measures)), np.nan) for column in label_cols}

    depth = np.full(len(task.queries), max(ks, default=1))
    if ranked:
        depth = np.max([depth, *(others for _, _, others in labels.values())], axis=0)
    with progress_bar("evaluating", " queries", len(task.queries), progress) as bar:
        for rows, places in _neighbours(task, depth):
            for column, (asked, offered, others) in labels.items():
                counted = others[rows] > 0
                hits = offered[places[counted]] == asked[rows[counted], None]  # (b, depth)
                found[column][rows[counted]] = _measure(hits, others[rows[counted]], ks, ranked)
            bar.update(len(rows))

    scores = {}
    for column in label_cols:
        every = np.full((len(task.image_df), len(measures)), np.nan)
        every[task.queries.positions] = found[column]
        scores[column] = pd.DataFrame(every, index=task.image_df.index, columns=measures)
    return scores


def _neighbours(task: _Task, depth: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ``(which queries (b,), places of their neighbours (b, d))``, d at least their depth."""
    # Queries that look about equally deep go together, so that one label with very many pictures
    # does not make all others look as far.
    bands = np.ceil(np.log2(depth))
    for band in np.unique(bands):
        chosen = np.flatnonzero(bands == band)
        queries = task.queries.some(chosen)
        deepest = int(depth[chosen].max())
        own = chosen if task.same else None
        for rows, similarities in similarity_blocks(queries, task.gallery, own):
            yield chosen[rows], best_places(similarities, deepest)


def _measure(hits: np.ndarray, others: np.ndarray, ks: list[int], ranked: bool) -> np.ndarray:
    """Return the scores of some queries, float64 ``(b, measures)``.

    ``hits[i, j]`` says whether neighbour j of query i has its label, the nearest first; ``others``
    is R of each query.
    """
    scores = []
    for k in ks:
        among_k = hits[:, :k].sum(axis=1)
        scores += [among_k / k, among_k > 0, among_k / others]
    if ranked:
        place = np.arange(1, hits.shape[1] + 1)  # (depth,)
        hits = hits & (place <= others[:, None])
        precision = np.cumsum(hits, axis=1, dtype=np.int32) / place
        scores += [hits.sum(axis=1) / others, (precision * hits).sum(axis=1) / others]
    return np.stack(scores, axis=1)


def duplicates_among(*frames: pd.DataFrame, progress: bool = True) -> pd.DataFrame:
    """Return what :func:`simlib.find_duplicates` finds in some frames together."""
    paths = pd.concat([frame["img_path"] for frame in frames], ignore_index=True)
    return find_duplicates(paths.drop_duplicates().to_frame(), progress=progress)


def groups_of(img_paths: pd.Series, duplicates: pd.DataFrame) -> pd.Series:
    """Return to which group of near-duplicates each picture belongs.

    A picture in no group is one of its own, which the same path in another row belongs to.
    """
    group_of = dict(zip(duplicates["img_path"], duplicates["group"], strict=True))
    return img_paths.map(lambda path: group_of.get(path, path))


def without_duplicates(
    image_df: pd.DataFrame,
    gallery_df: pd.DataFrame | None,
    duplicates: bool | pd.DataFrame = True,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return queries and gallery without repetitions, also of one in the other."""
    frames = [image_df] if gallery_df is None else [image_df, gallery_df]
    for frame in frames:
        require_column(frame, "img_path")
    if isinstance(duplicates, bool):
        duplicates = duplicates_among(*frames, progress=progress)
    groups = [groups_of(frame["img_path"], duplicates) for frame in frames]
    queries = image_df[~groups[0].duplicated().to_numpy()]
    if gallery_df is None:
        return queries, None
    asked = set(groups[0])
    return queries, gallery_df[[group not in asked for group in groups[1]]]
