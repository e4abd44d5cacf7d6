"""A collection in Milvus, to be searched and kept up to date: in a file, or on a server."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from simlib.arguments import require_count, short_repr
from simlib.columns import Embeddings
from simlib.encoders.base import Encoder
from simlib.milvus.collection import SCORES, Collection, describe, load
from simlib.milvus.connection import Connection, MilvusRefusal
from simlib.milvus.filters import filter_of, literal, render_filter
from simlib.milvus.rows import (
    FINGERPRINT,
    LABEL,
    batches_of,
    checked_labels,
    usable_columns,
    warn_of,
)
from simlib.query import Query, read_query

MOST_NEIGHBOURS = 16_384
"""Milvus returns no more (https://milvus.io/docs/limitations.md)."""

_writing = threading.Lock()  # Milvus Lite asks for writes one after the other


@dataclass(frozen=True)
class Built:
    """What a call of :func:`simlib.build_index` or :func:`simlib.index_shards` did.

    Attributes
    ----------
    written, unchanged, removed : int
        Rows that went in, that were there already, and that were there and are not wanted any more.
    left_out : dict
        Label → the reason why its row has no place in an index.
    """

    written: int
    unchanged: int
    removed: int
    left_out: dict[Hashable, str]


def open_index(
    uri: str | os.PathLike[str] = "data/index.db",
    name: str | None = None,
    encoder: Encoder | None = None,
) -> MilvusIndex:
    """Open a collection that :func:`simlib.build_index` or :func:`simlib.index_shards` made.

    Parameters
    ----------
    uri : str or path
        As for :func:`simlib.build_index`.
    name : str, optional
        The collection's; not needed where there is only one.
    encoder : Encoder, optional
        Reads queries that are pictures or text.

    Returns
    -------
    MilvusIndex

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If there is no such collection, or one that simlib did not make.
    RuntimeError
        If it is damaged or was never finished, or another process holds the file.
    ConnectionError, PermissionError, ImportError
        As for :func:`simlib.build_index`.

    Examples
    --------
    >>> import simlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"], "own": [[1, 0], [0, 2]]})
    >>> simlib.build_index(frame, "own", uri=folder.name + "/index.db", progress=False).close()
    >>> with open_index(folder.name + "/index.db") as index:
    ...     index.count()
    2
    >>> folder.cleanup()
    """
    if str(uri).endswith(".db") and "://" not in str(uri) and not Path(uri).expanduser().exists():
        raise FileNotFoundError(
            f"There is no index {str(uri)!r}. Make it first: simlib.build_index(image_df, "
            f"embedding_col, uri={str(uri)!r})."
        )
    connection = Connection(uri)
    try:
        names = connection.collections()
        if name is None and len(names) == 1:
            name = names[0]
        if name is None or name not in names:
            asked = f"has no collection {name!r}" if name else "has several, so say which, name=..."
            raise ValueError(
                f"{connection.uri} {asked if names else 'has no collection'}; it has: "
                f"{', '.join(names) or 'none at all'}."
            )
        found, why = _opened(connection, name)
        if found is None:
            raise RuntimeError(
                f"The collection {name!r} in {connection.uri} cannot be searched: {why}. "
                "Repeat the call of build_index or index_shards that made it, which puts it right."
            )
    except BaseException:
        connection.close()
        raise
    return MilvusIndex(connection, found, encoder)


def _opened(connection: Connection, name: str) -> tuple[Collection | None, str | None]:
    """Load a collection and return what it is; or None, and what is wrong with it."""
    if connection.file and name in connection.file.damaged:
        return None, connection.file.damaged[name]
    found = describe(connection, name)
    if not found.metric:
        return None, "it has no index, since that call was cut short"
    try:
        load(connection, found)
    except MilvusRefusal:
        if connection.file:
            return None, "its index is corrupt"
        raise
    return found, None


class MilvusIndex:
    """A collection in Milvus, to be searched and kept up to date.

    Made by :func:`simlib.build_index`, :func:`simlib.index_shards` and :func:`simlib.open_index`.
    What was written through it is seen by the searches that follow (consistency level *Session*);
    :meth:`count` sees what anybody has written. Usable in ``with``, which closes it.

    Attributes
    ----------
    name, embedding_col, metric : str
    dim : int
    columns : tuple of str
        What filters can ask for.
    encoder : Encoder or None
        Reads queries that are pictures or text.
    built : Built or None
        What the call did that made it.

    Examples
    --------
    >>> import simlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"], "own": [[1, 0], [0, 2]]})
    >>> index = simlib.build_index(frame, "own", uri=folder.name + "/index.db", progress=False)
    >>> index.search([3, 1], k=1)["img_path"].tolist()
    ['a.jpg']
    >>> index.close()
    >>> folder.cleanup()
    """

    def __init__(
        self, connection: Connection, described: Collection, encoder: Encoder | None = None
    ) -> None:
        self._connection, self._described = connection, described
        self.name, self.embedding_col = described.name, described.column
        self.dim, self.metric = described.dim, described.metric
        self.columns = tuple(field for field in described.fields if field != LABEL)
        self.encoder = encoder
        self.built: Built | None = None

    def __repr__(self) -> str:
        return (
            f"MilvusIndex({self.name!r} in {self._connection.uri}: "
            f"{self.dim} values, {self.metric})"
        )

    def __enter__(self) -> MilvusIndex:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of Milvus; a file may then be opened by another process."""
        self._connection.close()

    def search(
        self,
        query: Query | None = None,
        k: int = 5,
        filter: str = "",
        filter_params: Mapping[str, object] | None = None,
        *,
        text: str | None = None,
        weight: float = 0.5,
        minus: str | None = None,
        minus_weight: float = 0.5,
        where: str | None = None,
        columns: str | Sequence[str] = (),
        encoder: Encoder | None = None,
        search_params: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Return the ``k`` pictures nearest to a query, the nearest first.

        The frame is that of :func:`simlib.nearest`; but unless the index is ``"FLAT"``, the search
        is approximate and may miss a neighbour.

        Parameters
        ----------
        query : label, path, picture, bytes or vector
            As for :func:`simlib.nearest`. A query by label never returns its own row.
        k : int
            How many, fewer than 16,384. There are fewer where the filter lets fewer pass.
        filter : str
            A condition on ``columns`` of the index, ``"colour == 'red' and price < 30"``; its
            language: https://milvus.io/docs/boolean.md.
        filter_params : mapping, optional
            The values of names in braces, ``filter="colour == {colour}"``, without quotes around
            them. What a user has typed belongs here, never into ``filter``: it can then be nothing
            but a value, and so not the pattern of ``like`` either.
        text, weight, minus, minus_weight, encoder
            As for :func:`simlib.nearest`; ``encoder`` is by default the index's own.
        where : str, optional
            A condition as :func:`simlib.nearest` takes it, as far as it means the same in Milvus:
            columns compared with values, ``in``, ``and``, ``or``, ``not``. Beside a ``filter``
            both must hold. In an index a missing text is an empty one.
        columns : str or sequence of str
            Further columns of the result.
        search_params : mapping, optional
            How thoroughly to search, such as ``{"ef": 128}`` for HNSW, ``{"nprobe": 32}`` for IVF.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (1, 2, …), ``index`` (the label), ``cosine_similarity`` (float64; for other
            metrics ``inner_product`` or ``euclidean_distance``), ``img_path``, and ``columns``.

        Raises
        ------
        KeyError
            If the index has no such column.
        TypeError
            If ``where`` is no text.
        ValueError
            If ``k`` is out of range, the query has another dimension or no direction, Milvus cannot
            read the filter or the condition, or a column has the name of one that results have
            already.
        simlib.ImageError
            If the query is a picture that cannot be opened.
        ConnectionError
            If Milvus does not answer.
        """
        if require_count("k", k) >= MOST_NEIGHBOURS:
            raise ValueError(f"k={k} is too many: Milvus returns fewer than {MOST_NEIGHBOURS:,}.")
        columns = [columns] if isinstance(columns, str) else list(columns)
        for column in columns:
            if column not in self.columns:
                raise KeyError(f"The index has no {column!r}; it has: {', '.join(self.columns)}.")
            if column in ("rank", "index", SCORES[self.metric]):
                raise ValueError(
                    f"columns={columns} would overwrite the {column!r} of the results. Rename the "
                    "frame's column and build the index again."
                )
        if where is not None:
            fields = {field: self._described.fields[field] for field in self.columns}
            condition, values = filter_of(where, fields)
            filter = f"({filter}) and {condition}" if filter.strip() else condition
            filter_params = {**(filter_params or {}), **values}
        vector, own = read_query(self, query, text, encoder, weight, minus, minus_weight)
        wanted = [*dict.fromkeys(["img_path", *columns])]
        hits = self._ask(
            "search",
            filter,
            filter_params,
            data=[vector],
            anns_field=self.embedding_col,
            limit=k + (own is not None),
            output_fields=[field for field in wanted if field in self.columns],
            search_params={"metric_type": self.metric, "params": dict(search_params or {})},
        )[0]
        kept = [hit for hit in hits if own is None or hit.id != own][:k]
        scores = np.array([hit["distance"] for hit in kept], dtype=np.float64)
        if self.metric == "COSINE":
            scores = np.clip(scores, -1, 1)
        elif self.metric == "L2":
            scores = np.sqrt(np.maximum(scores, 0))  # Milvus gives the square
        order = np.argsort(scores if self.metric == "L2" else -scores, kind="stable")
        kept = [kept[place] for place in order]
        found = pd.DataFrame(
            {
                "rank": np.arange(1, len(kept) + 1),
                "index": pd.Index([hit.id for hit in kept], dtype=None if kept else object),
                SCORES[self.metric]: scores[order],
            }
        )
        for field in wanted:  # of "entity", since the hit itself has a "distance", too
            found[field] = [hit["entity"].get(field) for hit in kept]
        return found

    def count(self, filter: str = "", filter_params: Mapping[str, object] | None = None) -> int:
        """Return how many rows there are, or how many a filter lets pass."""
        answer = self._ask(
            "query",
            filter,
            filter_params,
            output_fields=["count(*)"],
            consistency_level="Strong",
        )
        return int(answer[0]["count(*)"])

    def upsert(self, image_df: pd.DataFrame) -> int:
        """Write the rows of a frame, over those with the same labels.

        Parameters
        ----------
        image_df : pandas.DataFrame
            With the index's embedding column and all of its ``columns``.

        Returns
        -------
        int
            How many were written. Those that cannot be searched are left out, with a warning.

        Raises
        ------
        KeyError, ValueError
            If a column is missing or of another kind, the dimension is another, or a label is.
        ConnectionError
            If Milvus does not answer; rows may then be written in part, and the call be repeated.
        """
        embeddings = Embeddings.of(image_df, self.embedding_col)
        if embeddings.dim != self.dim:
            raise ValueError(
                f"The embeddings have {embeddings.dim} values, but those in {self.name!r} have "
                f"{self.dim}. Both must come from the same encoder."
            )
        labels = checked_labels(image_df.index)
        if not self._is_label(labels[0]):
            raise ValueError(f"The frame's labels, such as {labels[0]!r}, do not name rows here.")
        fields = {field: self._described.fields[field] for field in self.columns}
        found = usable_columns(image_df, self.embedding_col, fields)
        for field, kind in fields.items():
            if found[field] != kind:
                raise ValueError(f"The column {field!r} holds {found[field]}, not {kind}.")
        written = 0
        left_out: dict[Hashable, str] = {}
        for batch in batches_of(image_df, self.embedding_col, embeddings, labels, fields):
            left_out |= batch.left_out
            written += self._write(batch.rows)
        warn_of(left_out, callers=2)
        return written

    def delete(
        self,
        labels: Hashable | Iterable[Hashable] | None = None,
        *,
        filter: str = "",
        filter_params: Mapping[str, object] | None = None,
    ) -> int:
        """Remove rows by their labels, or all that a filter lets pass.

        Parameters
        ----------
        labels : label or iterable of labels
        filter, filter_params
            As for :meth:`search`.

        Returns
        -------
        int
            How many were there to be removed.

        Raises
        ------
        ValueError
            If neither or both are given, a label is of another kind, or Milvus cannot read the
            filter.
        """
        if (labels is None) == (not filter.strip()):
            raise ValueError("Say which rows to remove: either labels or a filter.")
        if labels is None:
            return self._remove(filter, filter_params)
        several = isinstance(labels, Iterable) and not isinstance(labels, str)
        asked = list(labels) if several else [labels]  # type: ignore[arg-type]
        for label in asked:
            if not self._is_label(label):
                raise ValueError(f"{short_repr(label)} is not {self.describe_label()}.")
        return sum(
            self._remove(f"{LABEL} in {{some}}", {"some": asked[start : start + 1000]})
            for start in range(0, len(asked), 1000)
        )

    def drop(self) -> None:
        """Remove the collection from Milvus, and close."""
        self._connection.call("drop_collection", self.name)
        self.close()

    # What simlib.query.read_query asks

    def describe_label(self) -> str:
        """Return what a label is here, for errors."""
        kind = "a text" if self._described.fields[LABEL] == "VARCHAR" else "an integer"
        return f"a label of {self.name!r} ({kind})"

    def row_at(self, label: object) -> tuple[np.ndarray, Hashable] | None:
        """Return the embedding ``(dim,)`` at a label, and the label; None if there is none."""
        if not self._is_label(label):
            return None
        answer = self._connection.call(
            "query",
            self.name,
            filter=f"{LABEL} == {literal(label, 'query')}",
            output_fields=[self.embedding_col],
            limit=1,
            consistency_level="Session",
        )
        if not answer:
            return None
        return np.asarray(answer[0][self.embedding_col], np.float32), answer[0][LABEL]

    def _is_label(self, label: object) -> bool:
        if self._described.fields[LABEL] == "VARCHAR":
            return isinstance(label, str)
        return isinstance(label, (int, np.integer)) and not isinstance(label, bool)

    # How it talks to Milvus

    def _ask(self, method: str, template: str, parameters, **options):
        condition = render_filter(template, parameters)
        options.setdefault("consistency_level", "Session")
        try:
            return self._connection.call(method, self.name, filter=condition, **options)
        except MilvusRefusal as refusal:
            if not template:
                raise
            raise ValueError(
                f"The filter {template!r} cannot be used. {refusal} It can ask for: "
                f"{', '.join(self.columns)}; see https://milvus.io/docs/boolean.md."
            ) from None

    def _write(self, rows: list[dict]) -> int:
        if rows:
            with _writing:
                self._connection.call("upsert", self.name, rows)
        return len(rows)

    def _remove(self, template: str, parameters: Mapping[str, object] | None) -> int:
        removed = self.count(template, parameters)
        if removed:
            with _writing:
                condition = render_filter(template, parameters)
                self._connection.call("delete", self.name, filter=condition)
        return removed

    def _fingerprints(self) -> dict[Hashable, int]:
        """Return label → what the row held when it was written, for all rows."""
        found: dict[Hashable, int] = {}
        pages = self._connection.call(
            "query_iterator", self.name, batch_size=5000, output_fields=[FINGERPRINT]
        )
        while True:
            with self._connection.speaking():
                rows = pages.next()
            if not rows:
                break
            found.update((row[LABEL], row[FINGERPRINT]) for row in rows)
        pages.close()
        return found
