"""Exact search: the k most similar pictures by cosine similarity."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator

import numpy as np
import pandas as pd
from PIL import Image

from simlib.arguments import require_count
from simlib.columns import CHUNK_BYTES, Embeddings, encoder_of, forget_pages
from simlib.encoders.base import Encoder, TextEncoder
from simlib.images import load_image

FLOAT32_ERROR = 1e-4
"""More than a cosine of float32 embeddings is ever off when it is computed in float32."""

ONE_CORE_BYTES = 32 * 2**20
"""Up to this size a matrix is multiplied with one query on one core: a few milliseconds."""


def nearest(
    image_df: pd.DataFrame,
    embedding_col: str,
    query: Hashable | os.PathLike | Image.Image | np.ndarray,
    k: int = 5,
    encoder: Encoder | None = None,
) -> pd.DataFrame:
    """Return the ``k`` pictures most similar to a query, the most similar first.

    Cosine similarity is the cosine of the angle between two embeddings: 1 for the same direction,
    0 for a right angle. Every embedding is compared (exact search); the lengths of the embeddings
    are kept between queries for as long as the frame lives.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With ``img_path`` and the embedding column. It may be sorted, filtered or sampled; labels
        of its index are always labels, never positions.
    embedding_col : str
        A column made by :func:`simlib.embed`, or one of the user's own.
    query : label, path, picture or vector
        A label of the frame's index; or the path of a picture; or a picture; or an embedding, any
        one-dimensional sequence of ``dim`` numbers. A str that is not a label is taken for a path.
    k : int
        How many neighbours. Where there are fewer, all of them are returned.
    encoder : Encoder, optional
        Encodes a query that is a path or a picture. By default the one that made the column, if it
        did so in this session.

    Returns
    -------
    pandas.DataFrame
        ``rank`` (1, 2, …), ``index`` (the neighbour's label), ``cosine_similarity`` (float64) and
        ``img_path``, sorted. A query by label never returns its own row; any other query may
        return an identical picture. Equal similarities come in the frame's order.
        ``.attrs["left_out"]`` counts the rows that can't be ranked: those without an embedding,
        and those whose embedding is zero or not finite.

    Raises
    ------
    KeyError
        If the frame has no such column.
    ValueError
        If ``k`` is less than 1, if the label is ambiguous or its row has no usable embedding, or
        if the query's dimension is not the column's.
    simlib.ImageError
        If the query is a path that can't be opened.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"img_path": ["a.jpg", "b.jpg", "c.jpg"], "own": [[1, 0], [0, 2], [3, 4]]},
    ...     index=["a", "b", "c"],
    ... )
    >>> nearest(frame, "own", "a", k=2)
       rank index  cosine_similarity img_path
    0     1     c                0.6    c.jpg
    1     2     b                0.0    b.jpg
    """
    require_count("k", k)
    embeddings = Embeddings.of(image_df, embedding_col)
    vector, own_place = _as_vector(image_df, embedding_col, embeddings, query, encoder)
    approximate = _float32_similarities(embeddings, vector)
    if own_place is not None:
        approximate[own_place] = -np.inf
    places, similarities = _k_largest(embeddings, approximate, vector, k)
    ranks = np.arange(1, len(places) + 1)
    return _neighbours(image_df, embeddings, {"rank": ranks}, places, similarities)


def nearest_many(
    image_df: pd.DataFrame,
    embedding_col: str,
    queries: Iterable[Hashable | os.PathLike | Image.Image | np.ndarray],
    k: int = 5,
    encoder: Encoder | None = None,
) -> pd.DataFrame:
    """Return what :func:`nearest` returns for each of many queries, many times as fast.

    One query reads the whole matrix of embeddings from memory; many share that reading.

    Parameters
    ----------
    image_df, embedding_col, k, encoder
        As :func:`nearest` takes them.
    queries : iterable
        Labels, paths, pictures or embeddings; also a matrix ``(q, dim)``.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`nearest` behind ``query``: 0 for the neighbours of the first query,
        1 for those of the second, and so on.

    Raises
    ------
    KeyError, ValueError, simlib.ImageError
        As :func:`nearest` does.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [0, 2], [3, 4]]}, index=["a", "b", "c"])
    >>> nearest_many(frame, "own", ["a", [1, 1]], k=1)[["query", "rank", "index"]]
       query  rank index
    0      0     1     c
    1      1     1     c
    """
    require_count("k", k)
    embeddings = Embeddings.of(image_df, embedding_col)
    asked = [_as_vector(image_df, embedding_col, embeddings, query, encoder) for query in queries]
    vectors = np.array([vector for vector, _ in asked]).reshape(len(asked), embeddings.dim)
    found = []
    of_queries = Embeddings(vectors, None, np.arange(len(vectors)))
    for rows, similarities in similarity_blocks(of_queries, embeddings):
        for row, approximate in zip(rows, similarities, strict=True):
            vector, own_place = asked[row]
            if own_place is not None:
                approximate[own_place] = -np.inf
            found.append(_k_largest(embeddings, approximate, vector, k))
    numbers = np.array([len(places) for places, _ in found], dtype=np.int64)
    before = {
        "query": np.repeat(np.arange(len(found)), numbers),
        "rank": np.concatenate([np.arange(1, number + 1) for number in [0, *numbers]]),
    }
    places = np.concatenate([places for places, _ in found] or [np.empty(0, dtype=np.int64)])
    similarities = np.concatenate([values for _, values in found] or [np.empty(0)])
    return _neighbours(image_df, embeddings, before, places, similarities)


def _neighbours(
    image_df: pd.DataFrame,
    embeddings: Embeddings,
    before: dict[str, np.ndarray],
    places: np.ndarray,
    similarities: np.ndarray,
) -> pd.DataFrame:
    """Return the frame of neighbours, the columns ``before`` in front."""
    positions = embeddings.positions[places]
    paths = image_df["img_path"].iloc[positions].to_numpy() if "img_path" in image_df else None
    neighbours = pd.DataFrame(
        {
            **before,
            "index": image_df.index[positions],
            "cosine_similarity": similarities,
            "img_path": paths,
        }
    )
    neighbours.attrs["left_out"] = len(image_df) - int(embeddings.have_direction().sum())
    return neighbours


def encode_query(
    model: object, text: str | None = None, image: Image.Image | None = None, weight: float = 0.5
) -> np.ndarray:
    """Return the embedding of a text, or of a picture and a text together.

    The two are scaled to length 1 and added, the text ``weight`` times, the picture
    ``1 - weight`` times: *this one, but blue*.

    Parameters
    ----------
    model : Encoder or SentenceTransformer
        Reads both pictures and text, as ``simlib.load_encoder("clip")`` does.
    text : str, optional
        Always read as text: it is neither opened as a file nor fetched.
    image : PIL.Image.Image, optional
        A picture to start from.
    weight : float
        From 0 (the picture alone) to 1 (the text alone); counts only if both are given.

    Returns
    -------
    numpy.ndarray
        float32 ``(dim,)``, of length 1.

    Raises
    ------
    TypeError
        If the model can't encode text.
    ValueError
        If neither is given, the text is empty, or ``weight`` is out of its range.

    Examples
    --------
    >>> import simlib
    >>> clip = simlib.load_encoder("clip")
    >>> encode_query(clip, "a red bag").shape
    (384,)
    """
    if text is None and image is None:
        raise ValueError("There is nothing to encode: give a text, a picture, or both.")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight={weight} must lie between 0 (picture) and 1 (text).")
    words = None if text is None else _encode_text(model, text)  # (dim,)
    picture = None if image is None else model.encode([image])[0]  # (dim,)
    if words is None or picture is None:
        only = picture if words is None else words
        return np.asarray(only / np.linalg.norm(only), dtype=np.float32)
    return combine(picture, words, weight)


def combine(picture: np.ndarray, words: np.ndarray, weight: float) -> np.ndarray:
    """Return the embedding of a picture and a text together: what both point to.

    Parameters
    ----------
    picture, words : numpy.ndarray
        Embeddings ``(dim,)`` in one space, of any length but zero.
    weight : float
        The share of the words, from 0 to 1.

    Returns
    -------
    numpy.ndarray
        float32 ``(dim,)``, of length 1.

    Examples
    --------
    >>> combine(np.array([3.0, 0.0]), np.array([0.0, 0.5]), weight=0.5).round(2)
    array([0.71, 0.71], dtype=float32)
    """
    both = (1 - weight) * picture / np.linalg.norm(picture) + weight * words / np.linalg.norm(words)
    return np.asarray(both / np.linalg.norm(both), dtype=np.float32)


def _encode_text(model: object, text: str) -> np.ndarray:
    if isinstance(model, TextEncoder):
        return np.asarray(model.encode_text([text])[0], dtype=np.float32)
    if not hasattr(model, "encode") or isinstance(model, Encoder):
        raise TypeError(
            f"{type(model).__name__} can't encode text. Use one that reads pictures and words: "
            "model=simlib.load_encoder('clip')."
        )
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"The text {text!r} is empty; name what you look for, as in 'a red bag'.")
    # A model of sentence-transformers itself. As a dict, the text is text: a bare string that is
    # the path of a picture would be opened as one.
    return np.asarray(model.encode([{"text": text}], show_progress_bar=False)[0], dtype=np.float32)


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
    most = max(1, CHUNK_BYTES // (4 * len(gallery)))
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


def _float32_similarities(embeddings: Embeddings, vector: np.ndarray) -> np.ndarray:
    """Return the similarities ``(n,)`` to within FLOAT32_ERROR, -inf where there is none."""
    direction = (vector / np.linalg.norm(vector.astype(np.float64))).astype(np.float32)  # (dim,)
    similarities = np.full(len(embeddings), -np.inf)
    rankable = embeddings.have_direction()
    for part, chunk in embeddings.chunks():
        # Divided by the lengths here, and not kept divided: the matrix need not be there twice.
        lengths, some = embeddings.norms()[part], rankable[part]
        # np.vecdot stays on one core. Waking the others pays only for large matrices, and where
        # they are busy with something else, waiting for them takes many times as long as the work.
        product = np.vecdot if chunk.nbytes <= ONE_CORE_BYTES else np.matmul
        np.divide(product(chunk, direction), lengths, out=similarities[part], where=some)
    return similarities


def _k_largest(
    embeddings: Embeddings, approximate: np.ndarray, vector: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places with the ``k`` largest similarities, and these, in float64.

    ``approximate`` are all similarities ``(n,)`` to within FLOAT32_ERROR, -inf for what is not to
    be found.
    """
    places = _may_be_largest(approximate, k)
    places = places[approximate[places] > -np.inf]
    similarities = _exact_similarities(embeddings, places, vector)
    order = np.argsort(-similarities, kind="stable")[:k]
    return places[order], similarities[order]


def _may_be_largest(approximate: np.ndarray, k: int) -> np.ndarray:
    """Return, ascending, the places that may hold one of the ``k`` largest exact values."""
    if k >= len(approximate):
        return np.arange(len(approximate))
    kth_largest = np.partition(approximate, len(approximate) - k)[len(approximate) - k]
    return np.flatnonzero(approximate >= kth_largest - 2 * FLOAT32_ERROR)


def _exact_similarities(
    embeddings: Embeddings, places: np.ndarray, vector: np.ndarray
) -> np.ndarray:
    """Return the similarities at some places, in float64: equal embeddings get equal ones."""
    direction = vector / np.linalg.norm(vector.astype(np.float64))  # (dim,)
    similarities = np.empty(len(places))
    step = max(1, 2**20 // embeddings.dim)  # some MB at a time
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        rows = embeddings.take(places[part]).astype(np.float64)  # (step, dim)
        similarities[part] = np.vecdot(rows, direction) / np.sqrt(np.vecdot(rows, rows))
    forget_pages(embeddings.matrix)
    return np.clip(similarities, -1, 1)


def _as_vector(
    image_df: pd.DataFrame,
    embedding_col: str,
    embeddings: Embeddings,
    query: object,
    encoder: Encoder | None,
) -> tuple[np.ndarray, int | None]:
    """Return the query's embedding and, for a label, its own place among the embeddings."""
    own_place = None
    if isinstance(query, Image.Image):
        vector = _encode(query, embedding_col, embeddings, encoder)
    elif isinstance(query, Hashable) and _is_label(image_df.index, query):
        position = _position_of(image_df.index, query)
        row = np.flatnonzero(embeddings.positions == position)
        if len(row) == 0:
            reason = image_df["error"].iloc[position] if "error" in image_df else "it is missing."
            raise ValueError(
                f"The row at label {query!r} has no embedding in {embedding_col!r}: {reason}"
            )
        own_place = int(row[0])
        vector = embeddings.take(row)[0]
    elif isinstance(query, (str, os.PathLike)):
        vector = _encode(load_image(query), embedding_col, embeddings, encoder)
    else:
        some = ", ".join(repr(label) for label in image_df.index[:3])
        vector = numbers_of(query, f"a label of the frame (which has {some}, …)")
    require_direction(vector, embeddings.dim, embedding_col)
    return vector, own_place


def numbers_of(query: object, label: str) -> np.ndarray:
    """Return a query that must be an embedding as float32 ``(dim,)``.

    Raises
    ------
    ValueError
        If it is none; ``label`` says what else it could have been.

    Examples
    --------
    >>> numbers_of([[3, 4]], "a label")
    array([3., 4.], dtype=float32)
    """
    try:
        vector = np.asarray(query, dtype=np.float32)
    except (TypeError, ValueError):
        vector = np.empty(())
    if vector.ndim == 0:
        raise ValueError(f"The query {query!r} is not {label}, nor a path, a picture or a vector.")
    return vector[0] if vector.ndim == 2 and len(vector) == 1 else vector  # encode gives (1, dim)


def require_direction(vector: np.ndarray, dim: int, where: str) -> None:
    """Raise ValueError if an embedding can't be compared with those ``(n, dim)`` of some place.

    Examples
    --------
    >>> require_direction(np.zeros(2), dim=2, where="pixels")
    Traceback (most recent call last):
    ValueError: The query's embedding is zero or not finite, so it has no direction to compare.
    """
    if vector.shape != (dim,):
        raise ValueError(
            f"The query has {vector.size} values, but the embeddings in {where!r} have {dim}. Both "
            "must come from the same encoder."
        )
    if not np.isfinite(vector).all() or not vector.any():
        raise ValueError(
            "The query's embedding is zero or not finite, so it has no direction to compare."
        )


def _is_label(index: pd.Index, query: object) -> bool:
    try:
        return query in index
    except TypeError:
        return False


def _position_of(index: pd.Index, label: Hashable) -> int:
    position = index.get_loc(label)
    if not isinstance(position, (int, np.integer)):
        raise ValueError(
            f"The label {label!r} stands at several rows of the frame, so it does not say which is "
            "meant. Give the rows labels of their own: image_df.reset_index(drop=True)."
        )
    return position


def _encode(
    image: Image.Image, embedding_col: str, embeddings: Embeddings, encoder: Encoder | None
) -> np.ndarray:
    encoder = encoder or encoder_of(embeddings)
    if encoder is None:
        raise ValueError(
            f"It is not known which encoder made the column {embedding_col!r}, so a picture can't "
            "be compared with it. Name it: nearest(..., encoder=simlib.load_encoder(...))."
        )
    return encoder.encode([image])[0]
