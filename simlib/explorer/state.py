"""The search behind the explorer: the query, the filters, what was found; needs no browser."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from simlib.columns import Embeddings, column_of_rows, require_column
from simlib.encoders.base import Encoder, TextEncoder, require_encoder
from simlib.explorer.thumbnails import jpeg
from simlib.images import decode_image, load_image, read_image_file
from simlib.negation import warn_of_negation
from simlib.query import FrameGallery, combine, numbers_of, require_direction, take_away
from simlib.query import Query as Asked
from simlib.search import FitBy, nearest_to
from simlib.where import Where, rows_passing

MOST_NEIGHBOURS = 24
"""So many are searched at once, the right end of the slider, so that the slider only shows more."""

HISTORY = 30
"""So many queries one can go back."""

PICTURE = 256
"""Width and height of the query's picture, in pixels."""

FILTERS = ("category", "colour")
FACTS = ("title", "category", "colour", "pattern", "department")


@dataclass(frozen=True)
class Query:
    """What is searched for: a row of the catalogue, a picture from outside, words, or both.

    Attributes
    ----------
    name : str
        What it is called on the page.
    position : int or None
        The row's position in the catalogue.
    picture : bytes or None
        A JPEG of a picture from outside, PICTURE pixels wide and high.
    words : str or None
    vectors : dict
        Column → the query's embedding, ``(dim,)``; empty for a row, whose embeddings are there.
    problems : dict
        Column → the sentence that says why there is no embedding.
    alone : Query or None
        For a picture together with words: the picture alone.
    weight : float or None
        For a picture together with words: the share of the words.
    minus : str or None
        Words that were taken away.
    minus_weight : float or None
        The share of these.
    asked : dict
        Column → the vector ``(dim,)`` by which to tell whether anything fits: that of the words, or
        of a picture from outside; empty where both are asked for together.
    """

    name: str
    position: int | None = None
    picture: bytes | None = None
    words: str | None = None
    vectors: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    problems: dict[str, str] = field(default_factory=dict, compare=False)
    alone: Query | None = None
    weight: float | None = None
    minus: str | None = None
    minus_weight: float | None = None
    asked: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def is_picture(self) -> bool:
        """Whether there is a picture in it, of the catalogue or from outside."""
        return self.position is not None or self.picture is not None


class Found(NamedTuple):
    """What one strategy found: as :func:`simlib.nearest` returns it, ``index`` holding positions.

    Where nothing could be compared, ``neighbours`` is empty and ``problem`` says why.
    """

    neighbours: pd.DataFrame
    problem: str = ""


class SearchState:
    """The search behind the explorer; needs no browser.

    Rows are named by their position in the frame, from 0 on. A ``choose_…`` that fails raises a
    sentence (:class:`simlib.ImageError` or ValueError) and leaves everything as it was.

    Attributes
    ----------
    query : Query
    found : dict
        Column → :class:`Found`, at most MOST_NEIGHBOURS each.
    filters : dict
        ``"category"`` or ``"colour"`` → the value that is let through, or None for all.
    shown : numpy.ndarray
        int64, the positions of the rows that pass the filters.
    dims : dict
        Column → the number of values in one of its embeddings.
    notice : str
        What the user should know about the last step, such as a warning of the encoder.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"img_path": ["a.jpg", "b.jpg", "c.jpg"], "own": [[1, 0], [0, 2], [3, 4]]}
    ... )
    >>> state = SearchState(frame, "own")
    >>> state.found["own"].neighbours["index"].tolist()
    [2, 1]
    >>> state.choose_row(1)
    >>> state.found["own"].neighbours["index"].tolist()
    [2, 0]
    """

    def __init__(
        self, image_df: pd.DataFrame, columns: str | Sequence[str], model: Encoder | None = None
    ) -> None:
        require_column(image_df, "img_path")
        self.columns = list(dict.fromkeys([columns] if isinstance(columns, str) else columns))
        if not self.columns:
            raise ValueError("No embedding column is named; give at least one to search by.")
        for column in self.columns:
            require_column(image_df, column)
        if len(image_df) == 0:
            raise ValueError("The frame is empty: there is nothing to explore.")
        if model is not None and require_encoder(model).column not in self.columns:
            raise ValueError(
                f"The model belongs to the column {model.column!r}, which is not among those to "
                f"explore: {', '.join(self.columns)}."
            )
        self.labels = image_df.index
        self.frame = image_df.reset_index(drop=True)
        self.dims: dict[str, int] = {}
        self._encoders: dict[str, Encoder | None] = {}
        self._present: dict[str, np.ndarray] = {}
        for column in self.columns:
            embeddings, present = _shared_embeddings(self.frame, column)
            own = model is not None and model.column == column
            self.dims[column] = embeddings.dim
            self._encoders[column] = model if own else _encoder_of(self.frame, column)
            self._present[column] = present
        self._values = {name: _as_text(self.frame[name]) for name in FILTERS if name in self.frame}
        self._values = {name: values for name, values in self._values.items() if values.any()}
        self._searched = self._gallery = self.frame[["img_path", *self.columns]]
        self._history: list[Query] = []
        self.filters: dict[str, str | None] = dict.fromkeys(self._values)
        self.shown = np.arange(len(self.frame))
        self._allowed = np.ones(len(self.frame), dtype=bool)
        self.notice = ""
        self.query = self._last_picture = self._row(0)
        self.found: dict[str, Found] = {}
        self._search()

    @property
    def reads_words(self) -> bool:
        """Whether an encoder of one of the columns can encode text."""
        return any(isinstance(encoder, TextEncoder) for encoder in self._encoders.values())

    @property
    def can_go_back(self) -> bool:
        return bool(self._history)

    def choose_row(self, position: int) -> None:
        """Search for a picture of the catalogue."""
        if not 0 <= position < len(self.frame):
            raise ValueError(f"There is no picture {position}; there are {len(self.frame)}.")
        self.notice = ""
        self._choose(self._row(int(position)))

    def choose_file(self, path: str | os.PathLike[str]) -> None:
        """Search for the picture of a file."""
        self._choose_picture(read_image_file(path), os.fspath(path))

    def choose_upload(self, data: bytes, name: str) -> None:
        """Search for a picture by the content of its file."""
        self._choose_picture(data, name)

    def choose_words(
        self,
        words: str,
        with_picture: bool = False,
        weight: float = 0.5,
        minus: str = "",
        minus_weight: float = 0.5,
    ) -> None:
        """Search for words, in the columns whose encoder can read.

        With ``with_picture``, for the picture that was chosen last and the words together, the
        words having the share ``weight``, from 0 to 1 (*this one, but blue*). With ``minus``, what
        these words say is taken away, having the share ``minus_weight`` (*a bag, but not red*).
        """
        words, minus = " ".join(words.split()), " ".join(minus.split())
        if not words and not (minus and with_picture):
            raise ValueError("There are no words to search for. Type some, such as: a red dress")
        if not self.reads_words:
            raise ValueError(
                "None of these columns can be searched by words: their encoders read only pictures."
            )
        base = self._last_picture if with_picture else None
        vectors: dict[str, np.ndarray] = {}
        asked: dict[str, np.ndarray] = {}
        problems: dict[str, str] = {}
        texts = [text for text in (words, minus) if text]
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            warn_of_negation(words)
            for column, encoder in self._encoders.items():
                if not isinstance(encoder, TextEncoder):
                    problems[column] = "Words can't be compared with this strategy's pictures."
                    continue
                of_texts = dict(zip(texts, encoder.encode_text(texts), strict=True))  # (dim,) each
                try:
                    vector = of_texts.get(words)
                    if base is None and vector is not None:
                        asked[column] = vector
                    elif base is not None:
                        of_picture = self._vector(base, column)
                        vector = (
                            of_picture if vector is None else combine(of_picture, vector, weight)
                        )
                    assert vector is not None
                    vectors[column] = (
                        take_away(vector, of_texts[minus], minus_weight) if minus else vector
                    )
                except ValueError as error:
                    problems[column] = sentence(error)
        notices = [str(each.message) for each in heard if issubclass(each.category, UserWarning)]
        name = shortened(words, 200)
        if base is not None:
            name = f"{base.name} + “{name}”" if words else base.name
        if minus:
            less = shortened(minus, 200)
            name = f"{name} − {less}" if base is None else f"{name} − “{less}”"
        query = Query(
            name,
            position=None if base is None else base.position,
            picture=None if base is None else base.picture,
            words=words or None,
            vectors=vectors,
            problems=problems,
            alone=base,
            weight=None if base is None else weight,
            minus=minus or None,
            minus_weight=minus_weight if minus else None,
            asked=asked,
        )
        self.notice = " ".join(notices)
        self._choose(query)

    def find(
        self,
        query: Asked | None = None,
        text: str | None = None,
        weight: float = 0.5,
        minus: str | None = None,
        minus_weight: float = 0.5,
        where: Where | None = None,
    ) -> None:
        """Search for what :func:`simlib.nearest` takes, among what the filters let pass."""
        if query is None and text is None:
            raise ValueError(
                "There is nothing to search for: give a label, a path, a picture, a vector, or a "
                "text."
            )
        frame = self.frame.set_axis(self.labels)
        allowed = np.ones(len(frame), dtype=bool) if where is None else rows_passing(frame, where)
        if query is not None:
            position = FrameGallery(frame, self.columns[0]).position_of(query)
            if position is not None:
                self.choose_row(position)
            elif isinstance(query, Image.Image):
                stream = io.BytesIO()
                query.convert("RGB").save(stream, "PNG")
                self.choose_upload(stream.getvalue(), "a picture")
            elif isinstance(query, (bytes, bytearray, memoryview)):
                self.choose_upload(bytes(query), "a picture")
            elif isinstance(query, (str, os.PathLike)):
                self.choose_file(query)
            else:
                self._choose_vector(numbers_of(query, lambda: "a label of the frame"))
        if text is not None or minus is not None:
            self.choose_words(text or "", query is not None, weight, minus or "", minus_weight)
        if not np.array_equal(allowed, self._allowed):
            self._allowed = allowed
            self._filter()
            self._search()

    def _choose_vector(self, vector: np.ndarray) -> None:
        problems = {
            column: f"The query has {len(vector):,} values, these embeddings have {dim:,}."
            for column, dim in self.dims.items()
            if dim != len(vector)
        }
        if len(problems) == len(self.dims):
            raise ValueError(" ".join(problems.values()))
        vectors = {column: vector for column in self.dims if column not in problems}
        for column in vectors:
            require_direction(vector, self.dims[column], column)
        self.notice = ""
        self._history = [*self._history, self.query][-HISTORY:]  # no two vectors are the same query
        self._turn_to(Query("a vector", vectors=vectors, problems=problems))
        self._last_picture = self.query

    def back(self) -> None:
        """Search again for what was searched for before."""
        if not self._history:
            raise ValueError("This is the first query; there is none before it.")
        self.notice = ""
        self._turn_to(self._history.pop())

    def filter_by(self, name: str, value: str | None) -> None:
        """Let only rows through whose ``name`` is ``value``; all rows where it is None."""
        if name not in self.filters:
            raise ValueError(f"The catalogue can't be filtered by {name!r}.")
        self.notice = ""
        self.filters[name] = value
        self._filter()
        self._search()

    def _filter(self) -> None:
        passes = self._allowed.copy()
        for each, wanted in self.filters.items():
            if wanted is not None:
                passes &= self._values[each] == wanted
        self.shown = np.flatnonzero(passes)
        self._searched = self._gallery if passes.all() else self._gallery[passes]

    def choices(self, name: str) -> list[str]:
        """Return the values of a filter, sorted."""
        return sorted(set(self._values[name]) - {""})

    def path(self, position: int) -> Any:
        """Return where the picture of a row lies, as the catalogue has it."""
        return self.frame["img_path"].iat[position]

    def title(self, position: int) -> str:
        """Return what a row is called: its title, else its category and colour, else its file."""
        facts = self.facts(position)
        words = [facts[name] for name in ("colour", "category") if name in facts]
        return facts.get("title") or " ".join(words) or facts["file"]

    def facts(self, position: int) -> dict[str, str]:
        """Return what the catalogue says about a row, and its label."""
        facts = {}
        for name in FACTS:
            value = self.frame[name].iat[position] if name in self.frame else None
            if not _is_missing(value):
                facts[name] = shortened(value)
        facts["file"] = shortened(os.path.basename(str(self.path(position))))
        facts["label"] = shortened(self.labels[position])
        return facts

    def encoder(self, column: str) -> Encoder | None:
        """Return the encoder that made a column, if it is known."""
        return self._encoders[column]

    @property
    def query_picture(self) -> Image.Image:
        """The picture of the query: the catalogue's, or a small copy of one from outside.

        Raises
        ------
        ValueError
            If the query is words alone.
        """
        query = self.query
        if query.position is not None:
            return load_image(self.path(query.position))
        picture = query.picture or (query.alone.picture if query.alone else None)
        if picture is None:
            raise ValueError(
                "The query is words, which have no parts to compare. Choose a picture first."
            )
        return decode_image(picture, query.name)

    def agreement(self, column: str, k: int) -> dict[str, int]:
        """Return how many of the first ``k`` neighbours share the query's category and colour.

        Empty where the query is no row of the catalogue.
        """
        position = self.query.position
        if position is None:
            return {}
        positions = self.found[column].neighbours["index"].to_numpy(dtype=np.int64)[:k]
        return {
            name: int((values[positions] == values[position]).sum())
            for name, values in self._values.items()
            if values[position]
        }

    def _row(self, position: int) -> Query:
        return Query(self.title(position), position=position)

    def _choose_picture(self, data: bytes, path: str) -> None:
        picture = jpeg(decode_image(data, path, 2 * PICTURE), PICTURE)
        vectors, problems = {}, {}
        for column, encoder in self._encoders.items():
            if encoder is None:
                problems[column] = (
                    "It is not known which encoder made this column, so a picture from outside the "
                    "catalogue can't be compared with it. Give explore(…, model=…) its encoder."
                )
                continue
            try:
                image = decode_image(data, path, resizes_to=encoder.resizes_to)
                vectors[column] = encoder.encode([image])[0]  # (dim,)
            except Exception as error:  # whatever a network may raise; the other strategies go on
                problems[column] = sentence(error)
        self.notice = ""
        name = shortened(os.path.basename(path) or path)
        self._choose(
            Query(name, picture=picture, vectors=vectors, problems=problems, asked=vectors)
        )

    def _choose(self, query: Query) -> None:
        if query == self.query:
            return
        self._history = [*self._history, self.query][-HISTORY:]
        self._turn_to(query)

    def _turn_to(self, query: Query) -> None:
        self.query = query
        if query.is_picture:
            self._last_picture = query.alone or query
        self._search()

    def _search(self) -> None:
        self.found = {}
        for column in self.columns:
            try:
                self.found[column] = Found(self._nearest(column))
            except ValueError as error:
                nothing = pd.DataFrame({"rank": [], "index": [], "cosine_similarity": []})
                self.found[column] = Found(nothing, sentence(error))

    def _nearest(self, column: str) -> pd.DataFrame:
        vector = self._vector(self.query, column)
        if not self._present[column][self.shown].any():
            raise ValueError(
                "No picture passes the filter."
                if len(self.shown) == 0
                else "No picture that passes the filter has an embedding here."
            )
        gallery = FrameGallery(self._searched, column)
        asked = self.query.asked.get(column)
        encoder = None if self.query.words is None else self._encoders[column]
        found = nearest_to(
            gallery,
            vector,
            MOST_NEIGHBOURS + 1,  # perhaps itself, too
            asked=None if asked is None else FitBy(asked, encoder, self.query.words or ""),
        )
        others = found[found["index"] != self.query.position].head(MOST_NEIGHBOURS)
        return others.assign(rank=np.arange(1, len(others) + 1)).reset_index(drop=True)

    def _vector(self, query: Query, column: str) -> np.ndarray:
        """Return a query's embedding, ``(dim,)``, or raise the sentence that says why not."""
        if column in query.problems:
            raise ValueError(query.problems[column])
        if column in query.vectors:
            return query.vectors[column]
        position: Any = query.position  # there is one: other queries have vectors or problems
        if not self._present[column][position]:
            reason: Any = self.frame["error"].iat[position] if "error" in self.frame else None
            why = "." if _is_missing(reason) else f": {reason}"
            raise ValueError(f"The query has no embedding here{why}")
        return np.asarray(self.frame[column].iat[position])


def _shared_embeddings(frame: pd.DataFrame, column: str) -> tuple[Embeddings, np.ndarray]:
    """Return a column's embeddings, and which rows have one, ``(n,)`` of bool.

    The user's own cells are put into one matrix, or that would be done anew at every query.
    """
    embeddings = Embeddings.of(frame, column)
    present = np.isin(np.arange(len(frame)), embeddings.positions)
    if embeddings.matrix.flags.writeable:
        matrix = np.zeros((len(frame), embeddings.dim), dtype=np.float32)
        matrix[embeddings.positions] = embeddings.matrix
        frame[column] = column_of_rows(matrix, present, frame.index)
        embeddings = Embeddings.of(frame, column)
    return embeddings, present


def _encoder_of(frame: pd.DataFrame, column: str) -> Encoder | None:
    """Return the encoder that made a column, as :func:`simlib.nearest` knows it."""
    try:
        return FrameGallery(frame, column).encoder
    except Exception as error:  # whatever keeps it from loading; rows can be searched without it
        warnings.warn(
            f"The encoder of the column {column!r} can't be loaded, so only pictures of the "
            f"catalogue can be searched for in it: {sentence(error)}",
            stacklevel=4,
        )
        return None


def _as_text(values: pd.Series) -> np.ndarray:
    """Return the values as strings, ``(n,)`` of dtype object, missing ones empty."""
    return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=object)


def _is_missing(value: Any) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def shortened(value: object, most: int = 120) -> str:
    """Return a value as one line of at most so many characters and an ellipsis."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[:most] + "…"


def sentence(error: Exception) -> str:
    """Return what an error says, for a reader who sees no traceback.

    Examples
    --------
    >>> sentence(ValueError("There is nothing here."))
    'There is nothing here.'
    >>> sentence(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if said and isinstance(error, (ValueError, KeyError)):
        return said
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename!r}."
    return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__}."
