"""Exact top-k: the rows of a matrix with the largest cosine similarities to some vectors."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.columns import CHUNK_BYTES, Embeddings
from simlib.where import Where, rows_passing

FLOAT32_ERROR = 1e-4
"""More than a cosine of float32 embeddings is ever off when it is computed in float32."""

MOST_CANDIDATES = 2**20
"""So many pairs of a query and a picture are compared in float64 at a time, for one query more."""

ONE_CORE_BYTES = 8 * 2**20
"""Up to this size a matrix is multiplied with one query on one core: half a millisecond."""

FEW = 0.2
"""Where a smaller share of the rows may be found, only these are gathered and compared.

Gathering rows of 512 values takes five times as long as to compare them where they lie.
"""


class Among:
    """The embeddings among which to search: all of a column, or those that ``where`` lets pass.

    Attributes
    ----------
    embeddings : Embeddings
        What is compared: all of them, or where only ``FEW`` pass, those alone.
    """

    def __init__(self, embeddings: Embeddings, passing: int) -> None:
        self.embeddings = embeddings
        self._passing = passing  # rows of the frame
        self._hidden: np.ndarray | None = None  # places that are compared and must not be found
        self._place_of: np.ndarray | None = None  # among all → among these, -1 if not there

    @property
    def left_out(self) -> int:
        """How many rows pass and can't be ranked; asked for last, when lengths are known."""
        rankable = self.embeddings.have_direction()
        hidden = 0 if self._hidden is None else int(rankable[self._hidden].sum())
        return self._passing - int(rankable.sum()) + hidden

    @classmethod
    def of(cls, image_df: pd.DataFrame, embeddings: Embeddings, where: Where | None) -> Among:
        if where is None:
            return cls(embeddings, len(image_df))
        rows = rows_passing(image_df, where)  # of the frame
        passing = rows[embeddings.positions]  # of the embeddings
        if passing.mean() >= FEW:
            among = cls(embeddings, int(rows.sum()))
            among._hidden = np.flatnonzero(~passing)
        else:
            among = cls(embeddings.some(passing), int(rows.sum()))
            among._place_of = np.where(passing, np.cumsum(passing) - 1, -1)
        return among

    def of_those(self, values: np.ndarray) -> np.ndarray:
        """Return what belongs to the embeddings that are compared, of ``(n,)`` for all of them."""
        return values if self._place_of is None else values[self._place_of >= 0]

    def hide(self, similarities: np.ndarray, own: np.ndarray) -> None:
        """Set the similarities ``(n, q)`` to minus infinity of all that must not be found.

        ``own`` is the place, among all embeddings of the column, that each query must not find,
        int64 ``(q,)``, or -1.
        """
        if self._hidden is not None:
            similarities[self._hidden] = -np.inf
        if self._place_of is not None:
            own = np.where(own >= 0, self._place_of[own], -1)
        (queries,) = np.nonzero(own >= 0)
        similarities[own[queries], queries] = -np.inf


def top_k(
    queries: Embeddings, gallery: Embeddings, k: int, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` most similar rows of a gallery for each of many queries.

    Works on blocks, so that memory stays bounded by about ``2 × CHUNK_BYTES`` however many there
    are of both.

    Parameters
    ----------
    queries, gallery : Embeddings
        ``(q, dim)`` and ``(n, dim)``.
    k : int
        From 1 to the number of rows that can be ranked.
    own : numpy.ndarray, optional
        int64 ``(q,)``: the place in the gallery that each query must not find.

    Returns
    -------
    places : numpy.ndarray
        int64 ``(q, k)``: places in the gallery's ``positions``, the most similar first.
    similarities : numpy.ndarray
        float32 ``(q, k)``: the cosine similarities; NaN for a query that has no direction.

    Raises
    ------
    ValueError
        If ``k`` is out of its range.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [2, 1], [0, 1]]})
    >>> embeddings = Embeddings.of(frame, "own")
    >>> top_k(embeddings, embeddings, k=1, own=np.arange(3))[0].ravel()
    array([1, 0, 1])
    """
    available = max(0, int(gallery.have_direction().sum()) - (own is not None))
    if not 1 <= k <= available:
        raise ValueError(f"k={k} is out of range: the gallery offers {available} neighbours.")
    places = np.empty((len(queries), k), dtype=np.int64)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    for rows, scores in similarity_blocks(queries, gallery, own):
        places[rows] = best_places(scores, k)
        similarities[rows] = np.take_along_axis(scores, places[rows], 1)
    return places, similarities


def similarity_blocks(
    queries: Embeddings, gallery: Embeddings, own: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the cosine similarities of many queries to a gallery, some queries at a time.

    Parameters
    ----------
    queries, gallery : Embeddings
        ``(q, dim)`` and ``(n, dim)``.
    own : numpy.ndarray, optional
        int64 ``(q,)``: the place in the gallery that each query must not find.

    Yields
    ------
    rows : numpy.ndarray
        int64 ``(b,)``: which queries these are. A block takes about ``CHUNK_BYTES``.
    similarities : numpy.ndarray
        float32 ``(b, n)``; minus infinity for what is not to be found, NaN for a query that has no
        direction.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [3, 4]]})
    >>> embeddings = Embeddings.of(frame, "own")
    >>> for rows, similarities in similarity_blocks(embeddings, embeddings):
    ...     print(rows, similarities)
    [0 1] [[1.  0.6]
     [0.6 1. ]]
    """
    rankable = gallery.have_direction()  # (n,)
    safe_norms = np.where(rankable, gallery.norms(), 1).astype(np.float32)
    most = max(1, CHUNK_BYTES // (4 * max(1, len(gallery))))
    for part, block in queries.chunks():
        for start in range(0, len(block), most):
            rows = np.arange(part.start + start, min(part.start + start + most, part.stop))
            lengths = queries.norms()[rows, None].astype(np.float32)
            vectors = block[start : start + most] / lengths  # (b, dim)
            scores = np.empty((len(rows), len(gallery)), dtype=np.float32)  # (b, n)
            for columns, chunk in gallery.chunks():
                np.matmul(vectors, chunk.T, out=scores[:, columns])
            scores /= safe_norms
            scores[:, ~rankable] = -np.inf
            if own is not None:
                scores[np.arange(len(rows)), own[rows]] = -np.inf
            yield rows, scores


def best_places(scores: np.ndarray, k: int) -> np.ndarray:
    """Return where the ``k`` largest of each row stand, largest first, ties in their order.

    Examples
    --------
    >>> best_places(np.array([[0.1, 0.9, 0.5, 0.9]]), k=3)
    array([[1, 3, 2]])
    """
    # The k-th largest value first: np.partition is ten times as fast as np.argpartition.
    last = scores.shape[1] - k
    kth_largest = np.partition(scores, last, axis=1)[:, last]  # (b,)
    places = np.empty((len(scores), k), dtype=np.int64)
    for row, (values, least) in enumerate(zip(scores, kth_largest, strict=True)):
        candidates = np.flatnonzero(values >= least)
        if len(candidates) < k:  # NaN, of a query without a direction, compares with nothing
            candidates = np.arange(len(values))
        places[row] = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
    return places


def float32_similarities(embeddings: Embeddings, vector: np.ndarray) -> np.ndarray:
    """Return the similarities ``(n,)`` to within FLOAT32_ERROR, -inf where there is none."""
    direction = (vector / np.linalg.norm(vector.astype(np.float64))).astype(np.float32)  # (dim,)
    similarities = np.full(len(embeddings), -np.inf)
    # Divided by the lengths here, and not kept divided: the matrix need not be there twice.
    for part, chunk, lengths, some in embeddings.measured_chunks():
        # np.vecdot stays on one core. Waking the others pays only for large matrices, and where
        # they are busy with something else, waiting for them takes many times as long as the work.
        product = np.vecdot if chunk.nbytes <= ONE_CORE_BYTES else np.matmul
        np.divide(product(chunk, direction), lengths, out=similarities[part], where=some)
    return similarities


def k_largest(
    embeddings: Embeddings, approximate: np.ndarray, vector: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places with the ``k`` largest similarities, and these, in float64.

    ``approximate`` are all similarities ``(n,)`` to within FLOAT32_ERROR, -inf for what is not to
    be found.
    """
    places = _may_be_largest(approximate, k)
    places = places[approximate[places] > -np.inf]
    direction = vector / np.linalg.norm(vector.astype(np.float64))  # (dim,)
    similarities = _exact_similarities(embeddings, places, direction)
    order = np.argsort(-similarities, kind="stable")[:k]
    return places[order], similarities[order]


def _may_be_largest(approximate: np.ndarray, k: int) -> np.ndarray:
    """Return, ascending, the places that may hold one of the ``k`` largest exact values."""
    if k >= len(approximate):
        return np.arange(len(approximate))
    kth_largest = np.partition(approximate, len(approximate) - k)[len(approximate) - k]
    return np.flatnonzero(approximate >= kth_largest - 2 * FLOAT32_ERROR)


def _exact_similarities(
    embeddings: Embeddings,
    places: np.ndarray,
    directions: np.ndarray,
    of: np.ndarray | None = None,
) -> np.ndarray:
    """Return the similarities at some places, in float64: equal embeddings get equal ones.

    ``directions`` is one float64 ``(dim,)`` for all places; or many, ``(q, dim)``, and ``of`` says
    which one each place is compared with.
    """
    similarities = np.empty(len(places))
    step = max(1, 2**14 // embeddings.dim)  # few enough to stay in the cache
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        rows = embeddings.take(places[part]).astype(np.float64)  # (step, dim)
        compared = directions if of is None else directions[of[part]]
        similarities[part] = np.vecdot(rows, compared) / np.sqrt(np.vecdot(rows, rows))
    embeddings.forget_pages()
    return np.clip(similarities, -1, 1)


class Found(NamedTuple):
    """Neighbours of many queries, side by side: those of the first query, those of the second, …

    Attributes
    ----------
    queries, ranks, places : numpy.ndarray
        int64 ``(m,)``: which query, the neighbour's rank from 1 on, and its place in the gallery.
    similarities : numpy.ndarray
        float64 ``(m,)``.
    """

    queries: np.ndarray
    ranks: np.ndarray
    places: np.ndarray
    similarities: np.ndarray

    @classmethod
    def joined(cls, found: list[Found]) -> Found:
        none = np.empty(0, dtype=np.int64)
        found = [*found, cls(none, none, none, np.empty(0))]
        return cls(*map(np.concatenate, zip(*found, strict=True)))


def k_largest_of_many(
    queries: Embeddings, among: Among, own: np.ndarray, k: int
) -> Iterator[Found]:
    """Yield the ``k`` most similar for some queries at a time, as `k_largest` does for each.

    ``own`` is the place that each query must not find, int64 ``(q,)``, or -1. Every query has a
    direction. A block takes about ``CHUNK_BYTES``.
    """
    gallery = among.embeddings
    rankable = gallery.have_direction()  # (n,)
    lengths = np.where(rankable, gallery.norms(), 1).astype(np.float32)[:, None]
    most = max(1, CHUNK_BYTES // (4 * max(1, len(gallery))))
    for part, block in queries.chunks():
        for start in range(0, len(block), most):
            directions = block[start : start + most].astype(np.float64)  # (b, dim)
            directions /= np.sqrt(np.vecdot(directions, directions))[:, None]
            # Transposed, since BLAS is quicker with the long side first.
            scores = np.empty((len(gallery), len(directions)), dtype=np.float32)  # (n, b)
            for rows, chunk in gallery.chunks():
                np.matmul(chunk, directions.astype(np.float32).T, out=scores[rows])
            scores /= lengths
            if not rankable.all():
                scores[~rankable] = -np.inf
            first = part.start + start
            among.hide(scores, own[first : first + len(directions)])
            for found in _best_of_block(gallery, scores, directions, k):
                yield found._replace(queries=found.queries + first)


def _best_of_block(
    gallery: Embeddings, scores: np.ndarray, directions: np.ndarray, k: int
) -> Iterator[Found]:
    """Yield the ``k`` most similar for each column of ``scores``, float32 ``(n, b)``."""
    least = np.maximum(_no_more_than_kth(scores, k) - 2 * FLOAT32_ERROR, np.finfo(np.float32).min)
    candidates = np.flatnonzero(scores >= least)
    if len(candidates) > MOST_CANDIDATES and scores.shape[1] > 1:  # then not all of them at once
        half = scores.shape[1] // 2
        for some in (slice(half), slice(half, None)):
            for found in _best_of_block(gallery, scores[:, some], directions[some], k):
                yield found._replace(queries=found.queries + (some.start or 0))
        return
    places, of = np.divmod(candidates, scores.shape[1])
    similarities = _exact_similarities(gallery, places, directions, of)
    order = np.lexsort((-similarities, of))  # stable: ties stay in the frame's order
    of = of[order]
    ranks = np.arange(1, len(of) + 1) - np.searchsorted(of, of)
    chosen = order[ranks <= k]
    yield Found(of[ranks <= k], ranks[ranks <= k], places[chosen], similarities[chosen])


def _no_more_than_kth(scores: np.ndarray, k: int) -> np.ndarray:
    """Return a value for each column that at least ``k`` of it reach, most often just these.

    That many groups of rows have a largest value this large. To look at the largest of each group
    is many times as quick as to partition all values.

    Examples
    --------
    >>> scores = np.arange(288, dtype=np.float32).reshape(96, 3)
    >>> (scores >= _no_more_than_kth(scores, k=2)).sum(axis=0)
    array([2, 2, 2])
    """
    rows, columns = scores.shape
    groups = max(8 * k, isqrt(rows))
    if k >= rows:
        return np.full(columns, -np.inf, dtype=np.float32)
    if 2 * groups <= rows:
        # Each group is every so many-th row, since neighbours in a frame are often alike.
        size = rows // groups
        scores = scores[: size * groups].reshape(size, groups, columns).max(axis=0)
    return np.partition(scores, len(scores) - k, axis=0)[len(scores) - k]
