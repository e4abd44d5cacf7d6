"""The 5 most similar of n embeddings: simlib, its peers, and the limits of the machine.

Each contestant gets the same float32 ``(n, 512)`` and the same queries, none of them a row of it,
and returns the positions found, ``(queries, 5)``. Building what a library searches (a frame, an
index) is not timed, nor is the first query, in which simlib prepares its column; ``speed_growth``
times that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from measuring import need

K = 5
DIM = 512
Work = Callable[[], np.ndarray]


def rows_and_queries(n: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings in 200 loose clusters, of unequal lengths, and queries near some of them.

    Real embeddings have neighbourhoods, and lengths that differ.
    """
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, DIM), dtype=np.float32)
    rows = rng.standard_normal((n, DIM), dtype=np.float32)
    rows += centres[rng.integers(0, 200, n)]
    rows *= rng.uniform(0.5, 2, (n, 1)).astype(np.float32)
    near = rng.choice(n, queries, replace=False)
    noise = rng.standard_normal((queries, DIM), dtype=np.float32)
    return rows, rows[near] + noise


def _normalised(rows: np.ndarray) -> np.ndarray:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _largest(scores: np.ndarray) -> np.ndarray:
    """Return the positions of the K largest of each row, in order, by numpy's fastest way."""
    places = np.argpartition(scores, -K, axis=1)[:, -K:]
    order = np.argsort(-np.take_along_axis(scores, places, 1), axis=1)
    return np.take_along_axis(places, order, 1)


def bare_product(n: int, queries: int) -> Work:
    """The limit: the product with a normalised matrix, without a search."""
    rows, asked = rows_and_queries(n, queries)
    rows, asked = _normalised(rows), _normalised(asked)
    if queries == 1:
        return lambda: rows @ asked[0]
    return lambda: asked @ rows.T


def streaming_read(n: int, queries: int) -> Work:
    """The limit of a single query: reading every value once."""
    rows, _ = rows_and_queries(n, queries)
    whole = rows.ravel()
    return lambda: np.asarray(whole.sum())


def simlib_nearest(n: int, queries: int) -> Work:
    """A column as `embed` makes it."""
    from simlib.columns import column_of_rows

    rows, asked = rows_and_queries(n, queries)
    return _simlib(column_of_rows(rows, np.ones(n, dtype=bool), pd.RangeIndex(n)), asked)


def simlib_set_embeddings(n: int, queries: int) -> Work:
    """Vectors from elsewhere, handed to `set_embeddings` once."""
    import simlib

    rows, asked = rows_and_queries(n, queries)
    frame = simlib.set_embeddings(pd.DataFrame(index=pd.RangeIndex(n)), "own", rows)
    return _simlib(frame["own"], asked)


def simlib_arrays(n: int, queries: int) -> Work:
    """Arrays of the user's own, which may change from query to query."""
    rows, asked = rows_and_queries(n, queries)
    return _simlib(list(rows), asked)


def simlib_lists(n: int, queries: int) -> Work:
    """Lists of Python's floats."""
    rows, asked = rows_and_queries(n, queries)
    return _simlib(rows.tolist(), asked)


def _simlib(column: list | pd.Series, asked: np.ndarray) -> Work:
    import simlib

    paths = [f"{place}.jpg" for place in range(len(column))]
    image_df = pd.DataFrame({"img_path": paths, "embedding": column})
    simlib.nearest(image_df, "embedding", asked[0], K)
    if len(asked) == 1:
        return lambda: simlib.nearest(image_df, "embedding", asked[0], K)["index"].to_numpy()[None]
    return lambda: (
        simlib.nearest_many(image_df, "embedding", asked, K)["index"].to_numpy().reshape(-1, K)
    )


def tutorial(n: int, queries: int) -> Work:
    """The 2022 tutorial: lists in the column, and scikit-learn's cosine_similarity on all."""
    from sklearn.metrics.pairwise import cosine_similarity

    rows, asked = rows_and_queries(n, queries)
    df = pd.DataFrame({"embedding": rows.tolist()})

    def search(query: np.ndarray) -> np.ndarray:
        similarities = cosine_similarity([query], df["embedding"].values.tolist())[0]
        return np.argsort(-similarities)[:K]

    return lambda: np.stack([search(query) for query in asked])


def scikit_learn(n: int, queries: int) -> Work:
    from sklearn.neighbors import NearestNeighbors

    rows, asked = rows_and_queries(n, queries)
    neighbours = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(rows)
    return lambda: neighbours.kneighbors(asked, return_distance=False)


def sentence_transformers(n: int, queries: int) -> Work:
    need("sentence_transformers")
    import torch
    from sentence_transformers.util import dot_score, semantic_search

    rows, asked = rows_and_queries(n, queries)
    rows, asked = torch.from_numpy(_normalised(rows)), torch.from_numpy(_normalised(asked))

    def work() -> np.ndarray:
        found = semantic_search(asked, rows, top_k=K, score_function=dot_score)
        return np.array([[hit["corpus_id"] for hit in hits] for hits in found])

    return work


def torch_topk(n: int, queries: int) -> Work:
    import torch

    rows, asked = rows_and_queries(n, queries)
    rows, asked = torch.from_numpy(_normalised(rows)), torch.from_numpy(_normalised(asked))
    return lambda: torch.topk(asked @ rows.T, K, dim=1).indices.numpy()


def numpy_argpartition(n: int, queries: int) -> Work:
    rows, asked = rows_and_queries(n, queries)
    rows, asked = _normalised(rows), _normalised(asked)
    return lambda: _largest(asked @ rows.T)


def faiss_flat(n: int, queries: int) -> Work:
    need("faiss")
    import faiss

    rows, asked = rows_and_queries(n, queries)
    rows, asked = _normalised(rows), _normalised(asked)
    index = faiss.IndexFlatIP(DIM)
    index.add(rows)
    return lambda: index.search(asked, K)[1]


def usearch_exact(n: int, queries: int) -> Work:
    need("usearch")
    from usearch.index import MetricKind, search

    rows, asked = rows_and_queries(n, queries)

    def work() -> np.ndarray:
        found = search(rows, asked, K, MetricKind.Cos, exact=True)
        return np.asarray(found.keys).reshape(len(asked), K).astype(np.int64)

    return work


def truth(n: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the float64 similarities of all pairs, ``(queries, n)``, and the best K of them."""
    rows, asked = rows_and_queries(n, queries)
    similarities = np.empty((queries, n))
    directions = _normalised(asked.astype(np.float64))
    for start in range(0, n, 10_000):
        part = _normalised(rows[start : start + 10_000].astype(np.float64))
        similarities[:, start : start + 10_000] = directions @ part.T
    return similarities, _largest(similarities)


def share_right(found: np.ndarray, similarities: np.ndarray, best: np.ndarray) -> float:
    """Return the share of positions that are correct: among the best K, or tied with them."""
    given = np.take_along_axis(similarities, found, 1)
    wanted = np.take_along_axis(similarities, best, 1)
    return float((np.abs(given - wanted) < 1e-12).mean())
