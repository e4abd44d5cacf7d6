"""The same search on Milvus: in a file by Milvus Lite, or on a server by its address.

frame or shards → checked rows → batches → the collection = its index → search
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from simlib.arguments import require_count
from simlib.columns import Embeddings, encoder_of
from simlib.encoders.base import Encoder
from simlib.images import load_image
from simlib.milvus.collection import (
    SCORES,
    Collection,
    checked_name,
    describe,
    load,
    make_index,
    open_collection,
    wait_for_index,
)
from simlib.milvus.connection import Connection, MilvusRefusal, quoted, render_filter
from simlib.milvus.rows import (
    FINGERPRINT,
    LABEL,
    Batch,
    as_plain,
    batches_of,
    checked_labels,
    usable_columns,
    warn_of,
    without_embedding,
)
from simlib.progress import progress_bar
from simlib.query import encode_query, numbers_of, require_direction

MOST_NEIGHBOURS = 16_384
"""Milvus returns no more (https://milvus.io/docs/limitations.md)."""

_writing = threading.Lock()  # Milvus Lite asks for writes one after the other


@dataclass(frozen=True)
class Built:
    """What a call of :func:`build_index` or :func:`index_shards` did.

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


def build_index(
    image_df: pd.DataFrame,
    embedding_col: str,
    uri: str | os.PathLike[str] = "data/index.db",
    metric: str = "COSINE",
    index: str = "AUTOINDEX",
    *,
    name: str | None = None,
    columns: Iterable[str] | None = None,
    index_options: Mapping[str, object] | None = None,
    encoder: Encoder | None = None,
    progress: bool = True,
) -> MilvusIndex:
    """Make a Milvus collection hold the rows of a frame, and no others.

    A call that was broken off is continued by the same call; on a collection that is there already,
    only rows that differ are written, and rows that the frame does not have are removed.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With the embedding column. The labels of its index must be whole numbers or texts, each
        once; they name the rows in Milvus, too.
    embedding_col : str
        A column made by :func:`simlib.embed`, or one of the user's own.
    uri : str or path
        A path that ends in ``.db``: Milvus Lite, which makes a folder there and listens on this
        machine alone, without a password. Or a server's address, ``"http://localhost:19530"``; its
        token, ``name:password``, is read from the environment variable ``MILVUS_TOKEN``.
    metric : str
        ``"COSINE"``, ``"IP"`` (inner product) or ``"L2"`` (Euclidean distance).
    index : str
        ``"AUTOINDEX"``, ``"FLAT"`` (exact), ``"HNSW"``, ``"IVF_FLAT"`` …; ``"IVF_PQ"`` on a server.
    name : str, optional
        The collection's; by default that of the embedding column.
    columns : iterable of str, optional
        What filters can ask for later; by default every column of texts (missing ones become
        ``""``), truth values or numbers without gaps.
    index_options : mapping, optional
        Such as ``{"M": 32}``; see https://milvus.io/docs/index.md.
    encoder : Encoder, optional
        Reads queries that are pictures or text; by default the one that made the column.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    MilvusIndex
        Complete and counted. Its ``built`` tells what was done, and which rows were left out: those
        without an embedding, and those whose embedding is zero or not finite.

    Raises
    ------
    KeyError
        If the frame has no such column.
    ValueError
        If the labels or a name can't be used, if the collection holds embeddings of another
        dimension or metric, or if this Milvus has no such index.
    ConnectionError, PermissionError, RuntimeError, TimeoutError
        If Milvus does not answer, refuses the token, the file is in use, or the index stands still.
    ImportError
        If pymilvus is missing; the message holds the command that installs it.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> frame = pd.DataFrame(
    ...     {
    ...         "img_path": ["a.jpg", "b.jpg", "c.jpg"],
    ...         "own": [[1, 0], [0, 2], [3, 4]],
    ...         "colour": ["red", "blue", "red"],
    ...     }
    ... )
    >>> index = build_index(frame, "own", uri=folder.name + "/index.db", progress=False)
    >>> index.search([1, 0], k=2)
       rank  index  cosine_similarity img_path
    0     1      0                1.0    a.jpg
    1     2      2                0.6    c.jpg
    >>> index.search([0, 1], filter="colour == {c}", filter_params={"c": "red"})["index"].tolist()
    [2, 0]
    >>> index.close()
    >>> folder.cleanup()
    """
    embeddings = Embeddings.of(image_df, embedding_col)
    columns = usable_columns(image_df, embedding_col, columns)
    labels = checked_labels(image_df.index)
    wanted = Collection(
        name=checked_name(embedding_col if name is None else name),
        column=embedding_col,
        dim=embeddings.dim,
        metric=metric,
        fields={LABEL: "VARCHAR" if isinstance(labels[0], str) else "INT64", **columns},
    )
    encoder = encoder or encoder_of(embeddings)
    connection = open_collection(uri, wanted, len(image_df), index, index_options)
    opened = MilvusIndex(connection, wanted, encoder)
    batches = batches_of(image_df, embedding_col, embeddings, labels, columns)
    return _bring_in(opened, batches, len(image_df), index, index_options, progress)


def index_shards(
    folder: str | os.PathLike[str],
    uri: str | os.PathLike[str] = "data/index.db",
    metric: str = "COSINE",
    index: str = "AUTOINDEX",
    *,
    name: str | None = None,
    index_options: Mapping[str, object] | None = None,
    encoder: Encoder | None = None,
    progress: bool = True,
) -> MilvusIndex:
    """Make a Milvus collection hold what :func:`simlib.embed_folder` wrote, and nothing else.

    One shard is in memory at a time. A call that was killed is continued by the same call, without
    duplicates: a row's label is a hash of the picture's path below the embedded folder, and what is
    in the collection as it should be is not written again.

    Parameters
    ----------
    folder : str or path
        The folder of the shards.
    uri, metric, index, name, index_options, encoder, progress
        As for :func:`build_index`.

    Returns
    -------
    MilvusIndex
        Its fields are ``img_path``, ``content_hash`` and ``category``, the picture's sub-folder.
        The column ``index`` of its results holds hashes of 32 hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there are no shards in the folder.
    ValueError
        If they are not complete or damaged; otherwise as for :func:`build_index`.
    ConnectionError, PermissionError, RuntimeError, TimeoutError, ImportError
        As for :func:`build_index`.

    Examples
    --------
    >>> import tempfile
    >>> import simlib
    >>> from simlib.catalogue import SAMPLE_FOLDER
    >>> out = tempfile.TemporaryDirectory()
    >>> encoder = simlib.load_encoder("pixels", size=(4, 4))
    >>> _ = simlib.embed_folder(SAMPLE_FOLDER / "red", out.name, encoder, progress=False)
    >>> index = index_shards(out.name, uri=out.name + "/index.db", progress=False)
    >>> index.count()
    96
    >>> index.close()
    >>> out.cleanup()
    """
    from simlib.shards.files import finished_manifest
    from simlib.shards.run import iterate_shards

    manifest = finished_manifest(Path(folder))
    columns = {"img_path": "VARCHAR", "content_hash": "VARCHAR", "category": "VARCHAR"}
    wanted = Collection(
        name=checked_name(manifest.column if name is None else name),
        column=manifest.column,
        dim=manifest.dim,
        metric=metric,
        fields={LABEL: "VARCHAR", **columns},
    )
    connection = open_collection(uri, wanted, manifest.pictures, index, index_options)
    opened = MilvusIndex(connection, wanted, encoder)

    def batches() -> Iterator[Batch]:
        root = manifest.root(None)
        for frame in iterate_shards(folder):
            below = [os.path.relpath(path, root).replace(os.sep, "/") for path in frame["img_path"]]
            labels = [hashlib.sha256(path.encode()).hexdigest()[:32] for path in below]
            frame["category"] = [path.rpartition("/")[0].rpartition("/")[2] for path in below]
            if frame[manifest.column].isna().all():
                yield Batch([], without_embedding(frame, np.arange(len(frame)), labels))
                continue
            embeddings = Embeddings.of(frame, manifest.column)
            yield from batches_of(frame, manifest.column, embeddings, labels, columns)

    return _bring_in(opened, batches(), manifest.pictures, index, index_options, progress)


def open_index(
    uri: str | os.PathLike[str] = "data/index.db",
    name: str | None = None,
    encoder: Encoder | None = None,
) -> MilvusIndex:
    """Open a collection that :func:`build_index` or :func:`index_shards` made.

    Parameters
    ----------
    uri : str or path
        As for :func:`build_index`.
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
    ConnectionError, PermissionError, RuntimeError, ImportError
        As for :func:`build_index`.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"], "own": [[1, 0], [0, 2]]})
    >>> build_index(frame, "own", uri=folder.name + "/index.db", progress=False).close()
    >>> with open_index(folder.name + "/index.db") as index:
    ...     index.count()
    2
    >>> folder.cleanup()
    """
    path = Path(uri).expanduser() if str(uri).endswith(".db") and "://" not in str(uri) else None
    if path is not None and not path.exists():
        raise FileNotFoundError(
            f"There is no index {str(uri)!r}. Make it first: simlib.build_index(image_df, "
            f"embedding_col, uri={str(uri)!r})."
        )
    connection = Connection(uri)
    try:
        names = sorted(connection.call("list_collections"))
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            raise ValueError(
                f"{connection.uri} has no collection {name!r}; "
                f"it has: {', '.join(names) or 'none at all'}."
                if name is not None
                else f"Say which collection of {connection.uri} is meant, name=...; "
                f"it has: {', '.join(names) or 'none at all'}."
            )
        found = describe(connection, name)
        load(connection, found)
    except BaseException:
        connection.close()
        raise
    return MilvusIndex(connection, found, encoder)


class MilvusIndex:
    """A collection in Milvus, to be searched and kept up to date.

    Made by :func:`build_index`, :func:`index_shards` and :func:`open_index`. What was written
    through it is seen by the searches that follow (consistency level *Session*); :meth:`count`
    sees what anybody has written. Usable in ``with``, which closes it.

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
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"], "own": [[1, 0], [0, 2]]})
    >>> with build_index(frame, "own", uri=folder.name + "/index.db", progress=False) as index:
    ...     index.search([3, 1], k=1)["img_path"].tolist()
    ['a.jpg']
    >>> folder.cleanup()
    """

    def __init__(
        self, connection: Connection, described: Collection, encoder: Encoder | None = None
    ) -> None:
        self._connection = connection
        self._described = described
        self.encoder = encoder
        self.built: Built | None = None

    @property
    def name(self) -> str:
        return self._described.name

    @property
    def embedding_col(self) -> str:
        return self._described.column

    @property
    def dim(self) -> int:
        return self._described.dim

    @property
    def metric(self) -> str:
        return self._described.metric

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field for field in self._described.fields if field != LABEL)

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
        query: Hashable | os.PathLike | Image.Image | np.ndarray | None = None,
        k: int = 5,
        filter: str = "",
        filter_params: Mapping[str, object] | None = None,
        *,
        text: str | None = None,
        columns: Sequence[str] = (),
        encoder: Encoder | None = None,
        search_params: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Return the ``k`` pictures nearest to a query, the nearest first.

        The frame is that of :func:`simlib.nearest`; but unless the index is ``"FLAT"``, the search
        is approximate and may miss a neighbour.

        Parameters
        ----------
        query : label, path, picture or vector
            As for :func:`simlib.nearest`. A query by label never returns its own row.
        k : int
            How many, 16,384 at most. There are fewer where the filter lets fewer pass.
        filter : str
            A condition on ``columns`` of the index, ``"colour == 'red' and price < 30"``; its
            language: https://milvus.io/docs/boolean.md.
        filter_params : mapping, optional
            The values of names in braces, ``filter="colour == {colour}"``. What a user has typed
            belongs here, never into ``filter``: it can then be nothing but a value.
        text : str, optional
            Words instead of a query, or together with a picture; needs an encoder that reads text.
        columns : sequence of str
            Further columns of the result.
        encoder : Encoder, optional
            Instead of the index's own.
        search_params : mapping, optional
            How thoroughly to search, such as ``{"ef": 128}`` for HNSW, ``{"nprobe": 32}`` for IVF.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (1, 2, …), ``index`` (the label), ``cosine_similarity`` (float64; for other
            metrics ``inner_product`` or ``euclidean_distance``), ``img_path``, and ``columns``.

        Raises
        ------
        ValueError
            If ``k`` is out of range, the query has another dimension or no direction, is no label,
            or Milvus can't read the filter.
        simlib.ImageError
            If the query is a path that can't be opened.
        ConnectionError
            If Milvus does not answer.
        """
        require_count("k", k)
        if k >= MOST_NEIGHBOURS:
            raise ValueError(f"k={k} is too many: Milvus returns fewer than {MOST_NEIGHBOURS:,}.")
        for column in columns:
            if column not in self.columns:
                raise KeyError(f"The index has no {column!r}; it has: {', '.join(self.columns)}.")
        vector, own = self._as_vector(query, text, encoder or self.encoder)
        wanted = [*dict.fromkeys(["img_path", *columns])]
        hits = self._ask(
            "search",
            filter,
            filter_params,
            data=[vector],
            anns_field=self.embedding_col,
            limit=int(k) + (own is not None),
            output_fields=[field for field in wanted if field in self.columns],
            search_params={"metric_type": self.metric, "params": dict(search_params or {})},
        )[0]
        kept = [hit for hit in hits if own is None or hit.id != own][: int(k)]
        scores = np.array([hit.distance for hit in kept], dtype=np.float64)
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
        for field in wanted:
            found[field] = [hit.entity.get(field) for hit in kept]
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
            How many were written. Those that can't be searched are left out, with a warning.

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
        if isinstance(labels[0], str) != (self._described.fields[LABEL] == "VARCHAR"):
            raise ValueError(
                f"The frame's labels, such as {labels[0]!r}, are not of the kind that names the "
                f"rows of {self.name!r}."
            )
        fields = {field: self._described.fields[field] for field in self.columns}
        found = usable_columns(image_df, self.embedding_col, fields)
        for field, kind in fields.items():
            if found[field] != kind:
                raise ValueError(f"The column {field!r} holds {found[field]}, not {kind}.")
        written, left_out = 0, {}
        for batch in batches_of(image_df, self.embedding_col, embeddings, labels, fields):
            left_out |= batch.left_out
            written += self._write(batch.rows)
        warn_of(left_out)
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
            If neither or both are given, or Milvus can't read the filter.
        """
        if (labels is None) == (not filter.strip()):
            raise ValueError("Say which rows to remove: either labels or a filter.")
        if labels is None:
            removed = self.count(filter, filter_params)
            self._remove(render_filter(filter, filter_params))
            return removed
        if isinstance(labels, str) or not isinstance(labels, Iterable):
            labels = [labels]
        labels, removed = [as_plain(label) for label in labels], 0
        for start in range(0, len(labels), 1000):
            there = self._fingerprints(labels[start : start + 1000])
            if there:
                self._remove(self._are(list(there)))
            removed += len(there)
        return removed

    def drop(self) -> None:
        """Remove the whole collection from Milvus, and close."""
        self._connection.call("drop_collection", self.name)
        self.close()

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
                f"The filter {template!r} can't be used. {refusal} It can ask for: "
                f"{', '.join(self.columns)}; see https://milvus.io/docs/boolean.md."
            ) from None

    def _write(self, rows: list[dict]) -> int:
        if rows:
            with _writing:
                self._connection.call("upsert", self.name, rows)
        return len(rows)

    def _remove(self, condition: str) -> None:
        with _writing:
            self._connection.call("delete", self.name, filter=condition)

    def _are(self, labels: list) -> str:
        values = ", ".join(quoted(v) if isinstance(v, str) else str(v) for v in labels)
        return f"{LABEL} in [{values}]"

    def _fingerprints(self, labels: list) -> dict[Hashable, int]:
        """Of those labels that are there: what their rows held when they were written."""
        answer = self._connection.call(
            "query",
            self.name,
            filter=self._are(labels),
            output_fields=[FINGERPRINT],
            limit=len(labels),
            consistency_level="Strong",
        )
        return {row[LABEL]: row[FINGERPRINT] for row in answer}

    def _labels(self) -> Iterator[list]:
        """All labels, some thousand at a time."""
        iterator = self._connection.call(
            "query_iterator", self.name, batch_size=5000, output_fields=[LABEL]
        )
        while True:
            with self._connection.speaking():
                rows = iterator.next()
            if not rows:
                break
            yield [row[LABEL] for row in rows]
        iterator.close()

    def _as_vector(
        self, query: object, text: str | None, encoder: Encoder | None
    ) -> tuple[np.ndarray, Hashable | None]:
        """Return the query's embedding and, for a label, the label."""
        own = None
        if text is not None or isinstance(query, Image.Image):
            if query is not None and not isinstance(query, Image.Image):
                query = load_image(query)
            vector = self._encode(query, text, encoder)
        elif query is None:
            raise ValueError("There is nothing to search for: give a query, or a text.")
        elif self._is_label(query):
            own = as_plain(query)
            vector = self._embedding_at(own)
            if vector is None and isinstance(query, str):
                own, vector = None, self._encode(load_image(query), None, encoder)
        elif isinstance(query, (str, os.PathLike)):
            vector = self._encode(load_image(query), None, encoder)
        else:
            vector = None
        if vector is None:
            vector = numbers_of(query, f"a label of {self.name!r}")
        require_direction(vector, self.dim, self.name)
        return vector, own

    def _is_label(self, query: object) -> bool:
        if self._described.fields[LABEL] == "VARCHAR":
            return isinstance(query, str)
        return isinstance(query, (int, np.integer)) and not isinstance(query, bool)

    def _embedding_at(self, label: Hashable) -> np.ndarray | None:
        answer = self._connection.call(
            "query",
            self.name,
            filter=self._are([label]),
            output_fields=[self.embedding_col],
            limit=1,
            consistency_level="Session",
        )
        return np.asarray(answer[0][self.embedding_col], np.float32) if answer else None

    def _encode(
        self, image: Image.Image | None, text: str | None, encoder: Encoder | None
    ) -> np.ndarray:
        if encoder is None:
            raise ValueError(
                f"It is not known which encoder made {self.name!r}, so a picture or a text can't "
                "be compared with it. Name it: index.search(..., encoder=simlib.load_encoder(...))."
            )
        if text is not None:
            return encode_query(encoder, text, image=image)
        return encoder.encode([image])[0]


# Filling it


def _bring_in(
    opened: MilvusIndex,
    batches: Iterable[Batch],
    total: int,
    index: str,
    options: Mapping[str, object] | None,
    progress: bool,
) -> MilvusIndex:
    """Write what is missing, remove what is too much, wait for the index, count."""
    connection, wanted = opened._connection, opened._described
    try:
        empty = opened.count() == 0
        written, unchanged, left_out, seen = 0, 0, {}, []
        with progress_bar(opened.name, " rows", total, progress) as bar:
            for batch in batches:
                labels = [row[LABEL] for row in batch.rows]
                there = opened._fingerprints(labels) if labels and not empty else {}
                rows = [row for row in batch.rows if there.get(row[LABEL]) != row[FINGERPRINT]]
                written += opened._write(rows)
                unchanged += len(labels) - len(rows)
                left_out |= batch.left_out
                seen.append(_hashes(labels))
                bar.update(batch.size)
        expected = np.sort(np.concatenate(seen))
        removed = 0 if empty else _remove_others(opened, expected)
        if written or removed:
            connection.call("flush", opened.name, timeout=None)
        make_index(connection, wanted, total, index, options)
        load(connection, wanted)
        wait_for_index(connection, wanted, progress)
        if opened.count() != len(expected):
            raise RuntimeError(
                f"{opened.name!r} holds {opened.count()} rows, but {len(expected)} went in; is "
                "somebody else writing to it? The same call mends it."
            )
    except BaseException:
        opened.close()
        raise
    warn_of(left_out)
    opened.built = Built(written, unchanged, removed, left_out)
    return opened


def _hashes(labels: list) -> np.ndarray:
    """8 bytes a label; that a row which is to go passes for one that stays is out of the way."""
    digests = b"".join(
        hashlib.blake2b(repr(label).encode(), digest_size=8).digest() for label in labels
    )
    return np.frombuffer(digests, dtype=np.uint64)


def _remove_others(opened: MilvusIndex, expected: np.ndarray) -> int:
    """Remove the rows whose labels are not expected, ``(n,)`` sorted hashes."""
    if opened.count() == len(expected):
        return 0
    others = []
    for labels in opened._labels():
        hashes = _hashes(labels)
        places = np.searchsorted(expected, hashes)
        known = np.append(expected, 0)[places] == hashes
        others += [label for label, stays in zip(labels, known, strict=True) if not stays]
    for start in range(0, len(others), 1000):
        opened._remove(opened._are(others[start : start + 1000]))
    return len(others)
