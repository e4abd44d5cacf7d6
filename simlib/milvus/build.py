"""Filling a collection with what a frame or the shards of a folder hold, and nothing else.

frame or shards → checked rows → batches → the collection → its index
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from simlib.columns import Embeddings, encoder_of
from simlib.encoders.base import Encoder
from simlib.milvus.collection import (
    Collection,
    checked_name,
    load,
    make_index,
    open_collection,
    wait_for_index,
)
from simlib.milvus.index import Built, MilvusIndex
from simlib.milvus.rows import (
    FINGERPRINT,
    LABEL,
    Batch,
    batches_of,
    checked_labels,
    usable_columns,
    warn_of,
    without_embedding,
)
from simlib.progress import progress_bar


def build_index(
    image_df: pd.DataFrame,
    embedding_col: str,
    uri: str | os.PathLike[str] = "data/index.db",
    metric: str = "COSINE",
    index: str = "AUTOINDEX",
    *,
    name: str | None = None,
    columns: str | Iterable[str] | None = None,
    index_options: Mapping[str, object] | None = None,
    encoder: Encoder | None = None,
    progress: bool = True,
) -> MilvusIndex:
    """Make a Milvus collection hold the rows of a frame, and no others.

    The same call continues one that was cut short, and builds a damaged file of Milvus Lite anew.
    In a collection that exists, only rows that differ are written, and rows that the frame does not
    have are removed.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With the embedding column. The labels of its index must be integers or texts, each once;
        they name the rows in Milvus, too.
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
    columns : str or iterable of str, optional
        What filters can ask for later, 61 columns at most; by default every column of texts
        (missing ones become ``""``), booleans or numbers without gaps.
    index_options : mapping, optional
        Such as ``{"M": 32}``; see https://milvus.io/docs/index.md.
    encoder : Encoder, optional
        Reads queries that are pictures or text; by default the one that made the column.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    MilvusIndex
        Complete and counted. Its ``built`` says what was done, and which rows were left out: those
        without an embedding, and those whose embedding is zero or not finite.

    Raises
    ------
    KeyError
        If the frame has no such column.
    ValueError
        If the labels or the name of a column cannot be used, if there are too many columns, if the
        collection holds embeddings of another dimension or metric, or if this Milvus has no such
        index.
    ConnectionError, PermissionError, RuntimeError, TimeoutError
        If Milvus does not answer, refuses the token, another process holds the file, or indexing
        stalls.
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
    kinds = usable_columns(image_df, embedding_col, columns)
    labels = checked_labels(image_df.index)
    wanted = Collection(
        name=checked_name(embedding_col if name is None else name),
        column=embedding_col,
        dim=embeddings.dim,
        metric=metric,
        fields={LABEL: "VARCHAR" if isinstance(labels[0], str) else "INT64", **kinds},
    )
    connection = open_collection(uri, wanted, len(image_df), index, index_options)
    opened = MilvusIndex(connection, wanted, encoder or encoder_of(embeddings))
    batches = batches_of(image_df, embedding_col, embeddings, labels, kinds)
    return _fill(opened, batches, len(image_df), index, index_options, progress)


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

    One shard is in memory at a time, and the labels of the rows that are there already. The same
    call continues one that was killed, without duplicates: a row's label is a hash of the picture's
    path below the embedded folder, and rows that are up to date are not written again.

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
        If they are incomplete or damaged; otherwise as for :func:`build_index`.
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
            labels = [
                hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:32]
                for path in below
            ]
            frame["category"] = [path.rpartition("/")[0].rpartition("/")[2] for path in below]
            if frame[manifest.column].isna().all():
                yield Batch([], without_embedding(frame, np.arange(len(frame)), labels))
                continue
            embeddings = Embeddings.of(frame, manifest.column)
            yield from batches_of(frame, manifest.column, embeddings, labels, columns)

    return _fill(opened, batches(), manifest.pictures, index, index_options, progress)


def _fill(
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
        there = opened._fingerprints()  # label → what its row holds; in the end, what is too much
        written, kept = 0, 0
        left_out: dict[Hashable, str] = {}
        with progress_bar(opened.name, " rows", total, progress) as bar:
            for batch in batches:
                rows = [r for r in batch.rows if there.pop(r[LABEL], None) != r[FINGERPRINT]]
                written += opened._write(rows)
                kept += len(batch.rows) - len(rows)
                left_out |= batch.left_out
                bar.update(batch.size)
        removed = opened.delete(there)
        if written or removed:
            connection.call("flush", opened.name, timeout=None)
        make_index(connection, wanted, total, index, options)
        load(connection, wanted)
        wait_for_index(connection, wanted, progress)
        if opened.count() != written + kept:
            raise RuntimeError(
                f"{opened.name!r} holds {opened.count()} rows, but {written + kept} went in; is "
                "somebody else writing to it? Repeating the call corrects it."
            )
    except BaseException:
        opened.close()
        raise
    warn_of(left_out, callers=3)
    opened.built = Built(written, kept, removed, left_out)
    return opened
