"""The one way to read a query: a label, a path, a picture, its bytes, a vector, or text.

A query is compared with the embeddings of a :class:`Gallery`: a column of a frame
(:class:`FrameGallery`), or a Milvus index.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

from simlib.arguments import short_repr, to_float32
from simlib.columns import (
    Embeddings,
    encoder_of,
    noted_encoders,
    remember_encoder,
    warn_if_slow,
)
from simlib.encoders import load_encoder
from simlib.encoders.base import Encoder, TextEncoder
from simlib.images import ImageError, ResizesTo, decode_image, load_image
from simlib.listing import IMAGE_SUFFIXES
from simlib.negation import warn_of_negation
from simlib.synonyms import synonyms

__all__ = ["encode_query"]

Query: TypeAlias = Hashable | os.PathLike | Image.Image | np.ndarray | bytes
"""A label, the path of a picture, a picture, a picture's bytes, or an embedding."""


FILES = (str, os.PathLike, bytes, bytearray, memoryview)
"""What says which picture is meant, unless it is a label: its path, or the bytes of its file."""


class Gallery(Protocol):
    """What a query is compared with."""

    @property
    def name(self) -> str:
        """The column or collection, as errors call it."""

    @property
    def dim(self) -> int:
        """The number of values in an embedding."""

    @property
    def encoder(self) -> Encoder | None:
        """The encoder that made the embeddings, if it is known."""

    def describe_label(self) -> str:
        """Return what a label is here, such as ``"a label of the frame (which has 0, 1, …)"``."""

    def row_at(self, label: object) -> tuple[np.ndarray, Any] | None:
        """Return the embedding ``(dim,)`` at a label and what names its row; None if it is none."""


class FrameGallery:
    """The embeddings of a frame's column, by the labels of its index."""

    def __init__(self, image_df: pd.DataFrame, embedding_col: str) -> None:
        self.embeddings = Embeddings.of(image_df, embedding_col)
        warn_if_slow(self.embeddings, image_df[embedding_col])
        self.name = embedding_col
        self.frame = image_df

    @property
    def dim(self) -> int:
        return self.embeddings.dim

    @cached_property
    def encoder(self) -> Encoder | None:
        """The encoder that made the column in this session; or as the frame notes it.

        The latter only of the compact image-text model, which is loaded then, and once.
        """
        known = encoder_of(self.embeddings)
        if known is None:
            known = _load_noted(noted_encoders(self.frame.attrs).get(self.name, {}))
            if known is not None and self.embeddings.is_remembered:
                remember_encoder(self.embeddings.matrix, known)
        return known

    def describe_label(self) -> str:
        some = ", ".join(short_repr(label) for label in self.frame.index[:3])
        more = ", …" if len(self.frame) > 3 else ""
        return f"a label of the frame (which has {some}{more})"

    def row_at(self, label: object) -> tuple[np.ndarray, int] | None:
        """Return the embedding at a label, and its place among the column's embeddings.

        Raises
        ------
        ValueError
            If several rows have the label, or its row has no embedding.
        """
        position = self.position_of(label)
        if position is None:
            return None
        place = int(np.searchsorted(self.embeddings.positions, position))  # they ascend
        if place == len(self.embeddings) or self.embeddings.positions[place] != position:
            errors = self.frame["error"] if "error" in self.frame else None
            reason = "it is missing." if errors is None else errors.iloc[position]
            raise ValueError(
                f"The row at label {short_repr(label)} has no embedding in {self.name!r}: {reason}"
            )
        return self.embeddings.take(slice(place, place + 1))[0], place

    def position_of(self, label: object) -> int | None:
        """Return the position in the frame of the row with a label, None if there is none."""
        index = self.frame.index
        try:
            if not isinstance(label, Hashable) or label not in index:
                return None
        except (TypeError, ValueError, KeyError, OverflowError):  # of a kind that no label has here
            return None
        position = index.get_loc(label)
        if isinstance(position, (int, np.integer)):
            return int(position)
        if index.nlevels > 1 and not (isinstance(label, tuple) and len(label) == index.nlevels):
            raise ValueError(
                f"{short_repr(label)} is only a part of a label: the frame's index has "
                f"{index.nlevels} levels. Give a label of all levels, such as "
                f"{short_repr(index[position][0])}."
            )
        raise ValueError(
            f"The label {short_repr(label)} stands at several rows of the frame, so it does not "
            "say which is meant. Give the rows labels of their own: "
            "image_df.reset_index(drop=True)."
        )


def _load_noted(made_by: dict[str, str]) -> Encoder | None:
    """Return the image-text encoder that made a column, if it was the compact one.

    Vectors from elsewhere may have as many values as its own, and searched with it they would give
    nonsense.
    """
    if made_by.get("name") != "clip":
        return None
    from simlib.networks.clip_compact import RECIPE

    if made_by["recipe"].removesuffix(" bfloat16").removesuffix(" float16") != RECIPE:
        return None
    # Of the texts not all of the recipe counts: each edition lays them in the same space.
    is_multilingual = made_by.get("text_recipe", "").startswith("multilingual")
    return load_encoder("clip", weights="multilingual" if is_multilingual else "compact")


def read_query(
    gallery: Gallery,
    query: Query | None = None,
    text: str | None = None,
    encoder: Encoder | None = None,
    weight: float = 0.5,
    minus: str | None = None,
    minus_weight: float = 0.5,
) -> tuple[np.ndarray, Any]:
    """Return the embedding of a query and, for a label, what names its own row.

    Parameters
    ----------
    gallery : Gallery
        What the query is compared with.
    query : label, path, picture, bytes or vector, optional
        A label of the gallery; else the path of a picture, a picture, the bytes of a picture's
        file, or an embedding: any one-dimensional sequence of ``dim`` numbers.
    text : str, optional
        Words, alone or together with the query (:func:`combine`).
    encoder : Encoder, optional
        Encodes pictures and text; by default the gallery's own.
    weight : float
        The share of the text, if both are given.
    minus : str, optional
        Words that are taken away from all that (:func:`take_away`).
    minus_weight : float
        The share of ``minus``.

    Returns
    -------
    vector : numpy.ndarray
        float32 ``(dim,)``, finite and not zero.
    own
        What ``gallery.row_at`` returned beside the embedding; None unless the query is a label.

    Raises
    ------
    TypeError
        If the encoder can't encode text.
    ValueError
        If there is no query, it is none of these, its encoder is not known, or it can't be compared
        with the gallery's embeddings.
    simlib.ImageError
        If it is a picture that can't be opened.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [0, 2]]}, index=["a", "b"])
    >>> gallery = FrameGallery(frame, "own")
    >>> read_query(gallery, "b")
    (array([0., 2.], dtype=float32), 1)
    >>> read_query(gallery, [3, 4])
    (array([3., 4.], dtype=float32), None)
    >>> read_query(gallery, "c")
    Traceback (most recent call last):
    ValueError: The query 'c' is neither a label of the frame (which has 'a', 'b') nor an ...
    """
    _require_share("weight", weight, "picture", "text")
    _require_share("minus_weight", minus_weight, "nothing is taken away", "only that")
    vector, own = None, None
    if query is not None or text is None:
        vector, own = _read(gallery, query, encoder)
        require_direction(vector, gallery.dim, gallery.name)
    if text is not None:
        warn_of_negation(text)
        words = read_words(gallery, text, encoder)
        vector = _unit(words) if vector is None else combine(vector, words, weight)
        require_direction(vector, gallery.dim, gallery.name)
    assert vector is not None
    if minus is not None:
        vector = take_away(vector, read_words(gallery, minus, encoder), minus_weight)
    return vector, own


def read_queries(
    gallery: FrameGallery, queries: Iterable[Query], encoder: Encoder | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of many queries, and the places of those that are labels.

    Parameters
    ----------
    gallery, encoder
        As for :func:`read_query`.
    queries : iterable
        What it takes as a query; or a matrix ``(q, dim)``, which is checked as a whole.

    Returns
    -------
    vectors : numpy.ndarray
        float32 ``(q, dim)``, finite and not zero.
    own : numpy.ndarray
        int64 ``(q,)``: the place of a label's row among the gallery's embeddings; -1 for any other
        query.

    Raises
    ------
    TypeError, ValueError, simlib.ImageError
        As :func:`read_query` does.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[1, 0], [0, 2]]}, index=["a", "b"])
    >>> read_queries(FrameGallery(frame, "own"), ["b", [3, 4]])
    (array([[0., 2.],
           [3., 4.]], dtype=float32), array([ 1, -1]))
    """
    if isinstance(queries, np.ndarray) and queries.ndim == 2 and queries.dtype.kind in "fiu":
        vectors = to_float32(queries)  # no label is an array
        if (
            vectors is not None
            and vectors.shape[1] == gallery.dim
            and np.isfinite(vectors).all()
            and vectors.any(axis=1).all()
        ):
            return vectors, np.full(len(vectors), -1)
    asked = [read_query(gallery, query, encoder=encoder) for query in queries]
    vectors = np.empty((len(asked), gallery.dim), dtype=np.float32)
    for row, (vector, _) in zip(vectors, asked, strict=True):
        row[:] = vector
    places = [-1 if own is None else own for _, own in asked]
    return vectors, np.array(places, dtype=np.int64)


def read_words(gallery: Gallery, text: str, encoder: Encoder | None) -> np.ndarray:
    """Return the embedding of a text, float32 ``(dim,)``, that can be compared with a gallery."""
    words = _encode_text(_known_encoder(gallery, encoder, "text"), text)
    require_direction(words, gallery.dim, gallery.name)
    return words


def _read(gallery: Gallery, query: Query | None, encoder: Encoder | None) -> tuple[np.ndarray, Any]:
    """Return the embedding of a query without text, not yet checked, and its own row."""
    if isinstance(query, Image.Image):
        return _known_encoder(gallery, encoder, "a picture").encode([query])[0], None
    found = gallery.row_at(query)  # first, since a label may look like anything
    if found is not None:
        return found
    if query is None:
        raise ValueError(
            f"There is nothing to search for: give {gallery.describe_label()}, a path, a picture, "
            "a vector, or a text."
        )
    if isinstance(query, FILES):
        known = encoder or gallery.encoder
        resizes_to = known.resizes_to if isinstance(known, Encoder) else None
        picture = _open(gallery, query, resizes_to)
        return _known_encoder(gallery, encoder, "a picture").encode([picture])[0], None
    return numbers_of(query, gallery.describe_label), None


def is_vector(query: object) -> bool:
    """Return whether a query that is no label must be an embedding, and not a picture.

    Examples
    --------
    >>> is_vector([3, 4]), is_vector("shoe.jpg")
    (True, False)
    """
    return not isinstance(query, (Image.Image, *FILES))


def _open(
    gallery: Gallery,
    query: str | os.PathLike | bytes | bytearray | memoryview,
    resizes_to: ResizesTo | None,
) -> Image.Image:
    """Return the picture at a path, or that of the bytes of its file, decoded as embed does."""
    if isinstance(query, (bytes, bytearray, memoryview)):
        data = bytes(query)
        name = f"a query of {len(data):,} bytes"
        return decode_image(data, name, resizes_to=resizes_to)
    if isinstance(query, str) and not _is_like_a_path(query):
        raise ValueError(
            f"The query {short_repr(query)} is neither {gallery.describe_label()} nor an existing "
            "file. To search by words, pass them as text=..."
        )
    try:
        return load_image(query, resizes_to=resizes_to)
    except ImageError as error:
        if len(error.path) <= 1000:
            raise
        raise ImageError(f"{error.path[:100]}…", error.reason) from None


def _is_like_a_path(text: str) -> bool:
    if os.path.splitext(text)[1].lower() in IMAGE_SUFFIXES or os.path.exists(text):
        return True
    return any(separator in text for separator in ("/", "\\"))


def _known_encoder(gallery: Gallery, encoder: Encoder | None, what: str) -> Encoder:
    encoder = encoder or gallery.encoder
    if encoder is None:
        raise ValueError(
            f"It is not known which encoder made the embeddings in {gallery.name!r}, so {what} "
            "can't be compared with them. Name it: encoder=simlib.load_encoder(...)."
        )
    return encoder


def numbers_of(query: object, describe_label: Callable[[], str]) -> np.ndarray:
    """Return a query that must be an embedding as float32 ``(dim,)``.

    Raises
    ------
    ValueError
        If it is none; ``describe_label`` says what else it could have been.

    Examples
    --------
    >>> numbers_of([[3, 4]], lambda: "a label")
    array([3., 4.], dtype=float32)
    """
    if isinstance(query, pd.DataFrame):
        raise ValueError(
            f"The query is a DataFrame of {len(query)} rows, not one query. Give the label of a "
            "row; for many at once: simlib.nearest_many(image_df, embedding_col, queries.index)."
        )
    vector = to_float32(query)
    if vector is None or vector.ndim == 0:
        raise ValueError(
            f"The query {short_repr(query)} is not {describe_label()}, nor a path, a picture or a "
            "vector."
        )
    if vector.ndim == 2 and len(vector) == 1:  # as encode gives it, (1, dim)
        return vector[0]
    if vector.ndim == 2:
        raise ValueError(
            f"The query has {len(vector)} rows of {vector.shape[1]} values, but it must be one "
            "vector. For many at once: simlib.nearest_many(image_df, embedding_col, queries)."
        )
    if vector.ndim > 2:
        raise ValueError(
            f"The query is an array of shape {vector.shape}, but it must be one vector. If it is a "
            "picture, pass PIL.Image.fromarray(query)."
        )
    return vector


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


# Words


@synonyms(encoder="model")
def encode_query(
    model: Any,
    text: str | None = None,
    image: Image.Image | None = None,
    weight: float = 0.5,
    *,
    minus: str | None = None,
    minus_weight: float = 0.5,
) -> np.ndarray:
    """Return the embedding of a text, or of a picture and a text together; also less another text.

    Picture and text are scaled to length 1 and added, the text ``weight`` times, the picture
    ``1 - weight`` times: *this one, but blue*. What is to be missing is taken away from that, both
    scaled to length 1, ``minus_weight`` times and ``1 - minus_weight`` times: *a bag, but not red*.

    Parameters
    ----------
    model : Encoder or SentenceTransformer
        Reads both pictures and text, as ``simlib.load_encoder("clip")`` does. Also as ``encoder=``.
    text : str, optional
        Always read as text: it is neither opened as a file nor fetched.
    image : PIL.Image.Image, optional
        A picture to start from.
    weight : float
        From 0 (the picture alone) to 1 (the text alone); counts only if both are given.
    minus : str, optional
        Words for what is not wanted.
    minus_weight : float
        From 0 (nothing is taken away) to 1 (whatever is least like ``minus``).

    Returns
    -------
    numpy.ndarray
        float32 ``(dim,)``, of length 1.

    Raises
    ------
    TypeError
        If the model can't encode text.
    ValueError
        If neither is given, a text is empty, a weight is out of its range, or ``minus`` leaves
        nothing of the rest.

    Notes
    -----
    With the compact ``"clip"`` on the drawn sample, for all 32 kinds and 12 colours (``"a
    handbag"``, ``minus="red"``), the share of that colour among the ten nearest falls from 8.3% to
    0.1%, and the share of the kind from 100% to 93%; with ``minus_weight=0.33`` to 0.2% and 98%. To
    remove only the component along ``minus`` (a projection) leaves 8.3%: the two texts are all but
    at right angles already.

    Examples
    --------
    >>> import simlib
    >>> clip = simlib.load_encoder("clip")
    >>> encode_query(clip, "a red bag").shape
    (384,)
    >>> encode_query(clip, "a bag", minus="red").shape
    (384,)
    """
    _require_share("weight", weight, "picture", "text")
    _require_share("minus_weight", minus_weight, "nothing is taken away", "only that")
    words = None if text is None else _encode_text(model, text)  # (dim,)
    picture = None if image is None else model.encode([image])[0]  # (dim,)
    if words is not None and picture is not None:
        vector = combine(picture, words, weight)
    else:
        only = picture if words is None else words
        if only is None:
            raise ValueError("There is nothing to encode: give a text, a picture, or both.")
        vector = _unit(only)
    return vector if minus is None else take_away(vector, _encode_text(model, minus), minus_weight)


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
    return _unit(both)


def take_away(wanted: np.ndarray, unwanted: np.ndarray, weight: float) -> np.ndarray:
    """Return an embedding less another: what the first points to and the second does not.

    Parameters
    ----------
    wanted, unwanted : numpy.ndarray
        Embeddings ``(dim,)`` in one space, of any length but zero.
    weight : float
        The share of what is taken away, from 0 to 1.

    Returns
    -------
    numpy.ndarray
        float32 ``(dim,)``, of length 1.

    Raises
    ------
    ValueError
        If nothing is left.

    Examples
    --------
    >>> take_away(np.array([3.0, 0.0]), np.array([0.0, 0.5]), weight=0.5).round(2)
    array([ 0.71, -0.71], dtype=float32)
    """
    kept = (1 - weight) * wanted / np.linalg.norm(wanted)
    left = kept - weight * unwanted / np.linalg.norm(unwanted)
    if np.linalg.norm(left) < 1e-3:
        raise ValueError(
            "What is to be found and what is taken away from it (minus=) are the same, so nothing "
            "is left to search for."
        )
    return _unit(left)


def _require_share(name: str, value: object, least: str, most: str) -> None:
    """Raise ValueError unless a weight lies between 0 and 1."""
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or not 0 <= value <= 1:  # type: ignore[operator]
        raise ValueError(f"{name}={short_repr(value)} must lie between 0 ({least}) and 1 ({most}).")


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _encode_text(model: Any, text: str) -> np.ndarray:
    reads = isinstance(model, TextEncoder)
    if not reads and (not hasattr(model, "encode") or isinstance(model, Encoder)):
        raise TypeError(
            f"{type(model).__name__} can't encode text. Use one that reads pictures and words, "
            "such as simlib.load_encoder('clip')."
        )
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"The text {short_repr(text)} is empty; name what you look for, as in 'a red bag'."
        )
    if reads:
        return np.asarray(model.encode_text([text])[0], dtype=np.float32)
    # A model of sentence-transformers itself. As a dict, the text is text: a bare string that is
    # the path of a picture would be opened as one.
    return np.asarray(model.encode([{"text": text}], show_progress_bar=False)[0], dtype=np.float32)
