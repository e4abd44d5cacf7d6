"""Search in a frame: the k most similar pictures by cosine similarity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.arguments import require_count, short_repr
from simlib.columns import Embeddings, paths_at, require_column
from simlib.encoders.base import Encoder
from simlib.exact import Among, Found, float32_similarities, k_largest, k_largest_of_many
from simlib.fit import add_fit
from simlib.query import (
    FrameGallery,
    Query,
    is_vector,
    read_queries,
    read_query,
    read_words,
    take_away,
)
from simlib.where import Where

__all__ = ["nearest", "nearest_many"]


class FitBy(NamedTuple):
    """By what to tell how well the rows fit: the vector ``(dim,)`` of a picture, or of a text.

    For a text also what encoded it.
    """

    vector: np.ndarray
    encoder: Encoder | None = None
    text: str = ""


def nearest(
    image_df: pd.DataFrame,
    embedding_col: str,
    query: Query | None = None,
    k: int = 5,
    encoder: Encoder | None = None,
    *,
    text: str | None = None,
    weight: float = 0.5,
    minus: str | None = None,
    minus_weight: float = 0.5,
    where: Where | None = None,
    columns: str | Sequence[str] = (),
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
    query : label, path, picture, bytes or vector
        A label of the frame's index; or the path of a picture; or a picture, or the bytes of its
        file; or an embedding, any one-dimensional sequence of ``dim`` numbers. A str that is not a
        label is taken for a path.
    k : int
        How many neighbours. Where there are fewer, all of them are returned.
    encoder : Encoder, optional
        Encodes a query that is a picture or text. By default the one that made the column, if it
        did so in this session; or the compact image-text model (with texts in many languages, where
        it was that one), if the frame or the file that it was loaded from says so.
    text : str, optional
        Words in place of a query, or together with it (*this one, but blue*); always read as text.
        They need a column of an encoder that reads text, such as ``"clip"``.
    weight : float
        The share of the words where both are given, from 0 to 1.
    minus : str, optional
        Words for what is not wanted, taken away from the query and the text
        (:func:`simlib.encode_query`): ``text="a bag", minus="red"``.
    minus_weight : float
        The share of ``minus``, from 0 to 1.
    where : str or mask, optional
        Which rows may be found; the query's own may be another. A condition on the frame's columns
        in the language of ``DataFrame.query``, ``"colour == 'red' and price < 30"``; or a boolean
        for each row, a Series being aligned by its labels. A condition may compare, calculate with
        ``+ - * / // %``, and call what reads a column, such as ``title.str.contains('bag')`` or
        ``price.between(10, 20)``; neither ``@name`` nor anything else can be reached from it.
    columns : str or sequence of str
        Further columns of the frame to carry along into the result.

    Returns
    -------
    pandas.DataFrame
        ``rank`` (1, 2, …), ``index`` (the neighbour's label), ``cosine_similarity`` (float64),
        ``img_path`` and ``columns``, sorted. A query by label never returns its own row; any other
        query may return an identical picture. Equal similarities come in the frame's order. It has
        no rows where ``where`` lets none pass.
        ``.attrs["left_out"]`` counts the rows that can't be ranked: those without an embedding,
        and those whose embedding is zero or not finite; with ``where``, among those that pass.
        For a text or a picture, ``.attrs["fit"]`` in [0, 1] tells how sure it is that the frame
        holds what was asked for; below 0.5 probably nothing fits (:mod:`simlib.fit`). For a text
        alone, the last column, ``fit``, tells the same of each row.

    Raises
    ------
    KeyError
        If the frame has no such column.
    TypeError
        If there is a text, and the encoder can't read it; or ``where`` is no mask of booleans.
    ValueError
        If ``k`` is less than 1, if the label is ambiguous or its row has no usable embedding, if
        the query's dimension is not the column's, or if it is not known which encoder made the
        column and the query needs it; if ``where`` can't be read or has another length, a weight is
        out of its range, or one of ``columns`` is called as a column of the result is.
    simlib.ImageError
        If the query is a path or bytes that can't be opened as a picture.

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
    >>> nearest(frame, "own", "a", where="img_path != 'c.jpg'")["index"].tolist()
    ['b']
    """
    gallery = FrameGallery(image_df, embedding_col)
    vector, own = read_query(gallery, query, text, encoder, weight, minus_weight=minus_weight)
    asked = None
    if query is None and text is not None:
        asked = FitBy(vector, encoder or gallery.encoder, text)
    elif text is None and minus is None and own is None and not is_vector(query):
        asked = FitBy(vector)
    if minus is not None:
        vector = take_away(vector, read_words(gallery, minus, encoder), minus_weight)
    return nearest_to(gallery, vector, k, own, asked, where, columns)


def nearest_to(
    gallery: FrameGallery,
    vector: np.ndarray,
    k: int = 5,
    own: int | None = None,
    asked: FitBy | None = None,
    where: Where | None = None,
    columns: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Return what :func:`nearest` returns for a query that has been read.

    Parameters
    ----------
    gallery : FrameGallery
    vector : numpy.ndarray
        float32 ``(dim,)``: what to look for.
    k, where, columns
        As :func:`nearest` takes them.
    own : int, optional
        The place among the column's embeddings that must not be found.
    asked : FitBy, optional
        By what to tell how well the rows fit. By default that is not told.
    """
    require_count("k", k)
    columns = _carried(gallery.frame, columns)
    among = Among.of(gallery.frame, gallery.embeddings, where)
    approximate = float32_similarities(among.embeddings, vector)
    among.hide(approximate[:, None], np.array([-1 if own is None else own]))
    places, similarities = k_largest(among.embeddings, approximate, vector, k)
    ranks = np.arange(1, len(places) + 1)
    found = _neighbours(gallery.frame, among, {"rank": ranks}, places, similarities, columns)
    if asked is not None:
        if asked.vector is not vector:
            approximate = float32_similarities(among.embeddings, asked.vector)
            among.hide(approximate[:, None], np.array([-1]))
        add_fit(
            *(found, approximate, places, gallery.embeddings, among),
            *(asked.encoder, asked.text),
        )
    return found


def nearest_many(
    image_df: pd.DataFrame,
    embedding_col: str,
    queries: Iterable[Query] | None = None,
    k: int = 5,
    encoder: Encoder | None = None,
    *,
    where: Where | None = None,
    columns: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Return what :func:`nearest` returns for each of many queries, many times as fast.

    One query reads all embeddings from memory; many share that reading.

    Parameters
    ----------
    image_df, embedding_col, k, encoder, where, columns
        As :func:`nearest` takes them. ``where`` says what may be found, not what is asked for.
    queries : iterable, optional
        Labels, paths, pictures or embeddings; also a matrix ``(q, dim)``. By default every row of
        the frame whose embedding can be compared; none of them finds itself.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`nearest` behind ``query``: 0 for the neighbours of the first query,
        1 for those of the second, and so on. Without ``queries`` it is the row's label.

    Raises
    ------
    KeyError, TypeError, ValueError, simlib.ImageError
        As :func:`nearest` does.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [0, 2], [3, 4]]}, index=["a", "b", "c"])
    >>> nearest_many(frame, "own", ["a", [1, 1]], k=1)[["query", "rank", "index"]]
       query  rank index
    0      0     1     c
    1      1     1     c
    >>> nearest_many(frame, "own", k=1)[["query", "rank", "index"]]
      query  rank index
    0     a     1     c
    1     b     1     c
    2     c     1     b
    """
    require_count("k", k)
    columns = _carried(image_df, columns, "query")
    gallery = FrameGallery(image_df, embedding_col)
    embeddings = gallery.embeddings
    among = Among.of(image_df, embeddings, where)
    names: pd.Index
    if queries is None:
        own = np.flatnonzero(embeddings.have_direction())
        of_queries = embeddings.some(embeddings.have_direction())
        names = image_df.index[of_queries.positions]
    else:
        vectors, own = read_queries(gallery, queries, encoder)
        of_queries = Embeddings.of_matrix(vectors)
        names = pd.RangeIndex(len(vectors))
    found = Found.joined(list(k_largest_of_many(of_queries, among, own, k)))
    before = {"query": names[found.queries], "rank": pd.Index(found.ranks)}
    return _neighbours(image_df, among, before, found.places, found.similarities, columns)


def _carried(image_df: pd.DataFrame, columns: str | Sequence[str], *before: str) -> list[str]:
    """Return the names of the columns to carry along, or raise an error that names a wrong one."""
    names = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
    for name in names:
        require_column(image_df, name)
        if name in ("rank", "index", "cosine_similarity", *before):
            raise ValueError(
                f"columns={short_repr(names)} would overwrite the {name!r} of the results. Rename "
                f"the frame's column: image_df.rename(columns={{{name!r}: 'other'}})."
            )
    return [name for name in names if name != "img_path"]


def _neighbours(
    image_df: pd.DataFrame,
    among: Among,
    before: Mapping[str, np.ndarray | pd.Index],
    places: np.ndarray,
    similarities: np.ndarray,
    columns: Iterable[str],
) -> pd.DataFrame:
    """Return the frame of neighbours, the columns ``before`` in front and ``columns`` behind."""
    positions = among.embeddings.positions[places]
    neighbours = pd.DataFrame(
        {
            **before,
            "index": image_df.index[positions],
            "cosine_similarity": similarities,
            "img_path": paths_at(image_df, positions),
        },
        copy=False,
    )
    for column in columns:
        neighbours[column] = image_df[column].array[positions]
    neighbours.attrs["left_out"] = among.left_out
    return neighbours
