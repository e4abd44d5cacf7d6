"""Frames with embeddings as Parquet files: one Arrow fixed-size list for each embedding column."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simlib.columns import ENCODERS, Embeddings, column_of_rows, noted_encoders
from simlib.storage.atomic import atomic_write

ROW_GROUP_BYTES = 64 * 2**20


def save_embeddings(image_df: pd.DataFrame, path: str | os.PathLike) -> Path:
    """Write a frame with its embedding columns to a Parquet file, atomically.

    Parameters
    ----------
    image_df : pandas.DataFrame
        Its embedding columns become fixed-size lists of float32: those whose cells are
        one-dimensional arrays, tensors or lists of floats, all of one length, or missing. The file
        notes which encoder made them. All other columns (of numbers, text, tags, lists of whole
        numbers, …) are written as pandas writes them. An index other than 0, 1, 2, … becomes a
        column named after it (``"index"`` if it has no name).
    path : str or path
        A file on this computer; ``~`` is the home folder. An existing file is replaced once the
        new one is complete.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OSError
        If the disk is full or can't be written; an earlier file is unchanged then.
    ValueError
        If an index that would become a column has the name of a column that is there already, if
        the columns' names are not str or not different, if a column holds what Parquet can't, or
        if the path is a URL.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"]})
    >>> rows = np.array([[1, 0], [0, 1]], dtype=np.float32)
    >>> frame["own"] = column_of_rows(rows, np.ones(2, dtype=bool), frame.index)
    >>> path = save_embeddings(frame, os.path.join(tempfile.mkdtemp(), "own.parquet"))
    >>> load_embeddings(path)["own"].iloc[1]
    array([0., 1.], dtype=float32)
    >>> pd.read_parquet(path)["own"].iloc[1]
    array([0., 1.], dtype=float32)
    """
    path = _local(path)
    if not isinstance(image_df, pd.DataFrame):
        raise TypeError(f"Expected a pandas DataFrame, but got {type(image_df).__name__}.")
    if not image_df.index.equals(pd.RangeIndex(len(image_df))):
        names = _index_names(image_df.index)
        for name in names:
            if name in image_df.columns:
                raise ValueError(
                    f"The frame's index can't be saved as a column {name!r}: there is one already. "
                    "Use image_df.reset_index(drop=True)."
                )
        with _named_if_not_unicode():
            image_df = image_df.reset_index(names=names)
    for label, many in image_df.columns.value_counts().items():
        if many > 1 or not isinstance(label, str):
            raise ValueError(
                f"The frame has {many} column(s) named {label!r}, but a Parquet file needs names "
                "that are str and different. Rename with: image_df.columns = [...]."
            )
    embeddings = {
        column: Embeddings.of(image_df, column)
        for column in image_df.columns
        if holds_embeddings(image_df[column])
    }
    rest = image_df.drop(columns=list(embeddings))
    rest.attrs = {}  # which pyarrow would try to write
    plain = _table(rest)
    # An explicit schema: pandas' own notes on fixed-size lists make pandas.read_parquet fail
    # (https://github.com/pandas-dev/pandas/issues/59738), so its notes are of the others only.
    fields = [
        pa.field(column, pa.list_(pa.float32(), embeddings[column].dim))
        if column in embeddings
        else plain.schema.field(column)
        for column in image_df.columns
    ]
    metadata = dict(plain.schema.metadata or {})
    noted = noted_encoders(image_df.attrs)
    noted = {column: noted[column] for column in embeddings if column in noted}
    if noted:  # under the key of pandas' own, so that pandas.read_parquet finds it again, too
        metadata[b"PANDAS_ATTRS"] = json.dumps({ENCODERS: noted}).encode()
    schema = pa.schema(fields, metadata=metadata or None)
    widest = max((4 * item.dim for item in embeddings.values()), default=64)
    step = max(1, ROW_GROUP_BYTES // widest)
    path.parent.mkdir(parents=True, exist_ok=True)
    refusal = "The embeddings could not be saved ({reason}); what was there before is unchanged"
    with (
        atomic_write(path.parent, path.name, refusal=refusal) as file,
        pq.ParquetWriter(file, schema) as writer,
    ):
        for start in range(0, max(1, len(image_df)), step):
            stop = min(start + step, len(image_df))
            arrays = [
                _fixed_size_lists(embeddings[column], start, stop)
                if column in embeddings
                else plain.column(column).slice(start, stop - start)
                for column in image_df.columns
            ]
            writer.write_table(pa.table(arrays, schema=schema))
    return path


def _local(path: str | os.PathLike) -> Path:
    """Return the path of a file on this computer; raise a ValueError for a URL."""
    if match := re.match(r"([A-Za-z][\w+.-]+)://", os.fspath(path)):
        raise ValueError(
            f"{os.fspath(path)!r} is a URL ({match[1]}), but embeddings are saved and loaded as "
            "files on this computer. Give a path here, and copy the file with the tool of that "
            "storage."
        )
    return Path(path).expanduser()


@contextlib.contextmanager
def _named_if_not_unicode() -> Iterator[None]:
    """Turn the error for text that neither pandas' str nor Parquet can hold into one that helps."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text {error.object[:200]!r} can't be saved as Parquet: it is not Unicode. If it "
            "is the name of a file, rename the file."
        ) from error


def _table(image_df: pd.DataFrame) -> pa.Table:
    try:
        with _named_if_not_unicode():
            return pa.Table.from_pandas(image_df, preserve_index=False)
    except pa.ArrowException as error:
        _, column = (*error.args, "")[:2]
        raise ValueError(
            f"A column can't be saved as Parquet ({' '.join(str(error.args[0]).split())[:200]}; "
            f"{column}). Its cells must be of one kind: numbers, text or arrays. Change them, or "
            "leave the column out with image_df.drop(columns=[...])."
        ) from error


def _index_names(index: pd.Index) -> list[str]:
    unnamed = ["index"] if index.nlevels == 1 else [f"level_{i}" for i in range(index.nlevels)]
    return [
        instead if name is None else str(name)
        for name, instead in zip(index.names, unnamed, strict=True)
    ]


def holds_embeddings(column: pd.Series) -> bool:
    """Return whether all cells that are not missing are rows of floats, of one length."""
    present = column.dropna().tolist() if column.dtype == object else []
    lengths = set(map(_floats_in, present))
    return len(lengths) == 1 and 0 not in lengths


def _floats_in(cell: object) -> int:
    """Return how many floats a cell is a row of, 0 if it is anything else."""
    if isinstance(cell, list):
        return len(cell) if all(isinstance(value, (float, np.floating)) for value in cell) else 0
    if not hasattr(cell, "__array__"):
        return 0
    try:
        row = np.asarray(cell)
    except (TypeError, ValueError, RuntimeError):  # such as a tensor on a GPU
        return 0
    return row.size if row.ndim == 1 and row.dtype.kind == "f" else 0


def _fixed_size_lists(embeddings: Embeddings, start: int, stop: int) -> pa.Array:
    """Return the rows at positions ``start`` to ``stop`` of the frame, null where missing."""
    first, last = np.searchsorted(embeddings.positions, [start, stop])
    values = np.zeros((stop - start, embeddings.dim), dtype=np.float32)
    missing = np.ones(stop - start, dtype=bool)
    places = embeddings.positions[first:last] - start
    values[places] = embeddings.take(slice(first, last))
    missing[places] = False
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values.ravel()), embeddings.dim, mask=pa.array(missing)
    )


def load_embeddings(path: str | os.PathLike) -> pd.DataFrame:
    """Read a frame that :func:`save_embeddings` wrote.

    Parameters
    ----------
    path : str or path
        A Parquet file. Columns that are fixed-size lists of floats become embedding columns.

    Returns
    -------
    pandas.DataFrame
        With a RangeIndex. The cells of embedding columns are read-only float32 arrays ``(dim,)``,
        views of one matrix, or None where missing.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no Parquet file or a damaged one, or the path is a URL.

    Examples
    --------
    See :func:`save_embeddings`.
    """
    path = _local(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r} to load embeddings from.")
    try:
        return _read(path)
    except PermissionError:
        raise
    except UnicodeEncodeError as error:
        raise ValueError(f"The name {str(path)!r} is not Unicode; rename the file.") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{str(path)!r} is not a complete Parquet file ({error}). Save the embeddings again."
        ) from error


def matrix_of(lists: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix ``(n, dim)`` behind a column of fixed-size lists, and which rows are there.

    Examples
    --------
    >>> column = pa.chunked_array([[[1.0, 2.0], None]], pa.list_(pa.float32(), 2))
    >>> matrix, present = matrix_of(column)
    >>> matrix[0], present
    (array([1., 2.], dtype=float32), array([ True, False]))
    """
    array = lists.combine_chunks()
    dim = array.type.list_size
    values = array.values.slice(array.offset * dim, len(array) * dim)
    matrix = values.to_numpy(zero_copy_only=False).reshape(len(array), dim)
    return matrix, array.is_valid().to_numpy(zero_copy_only=False)


def _read(path: Path) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        schema, groups = file.schema_arrow, range(file.num_row_groups)
        n = sum(file.metadata.row_group(group).num_rows for group in groups)
        lists = [
            field.name
            for field in schema
            if pa.types.is_fixed_size_list(field.type)
            and pa.types.is_floating(field.type.value_type)
        ]
        read, start = {}, 0  # name → matrix (n, dim) and which of its rows are there
        rest = []
        # A part at a time, or the numbers would lie in memory three times. The empty one comes last
        # and is there for a file without parts.
        for table in chain(map(file.read_row_group, groups), [schema.empty_table()]):
            part = slice(start, start + len(table))
            if part.stop > n:
                raise pa.ArrowInvalid(f"it has more than its {n} rows")
            for name in lists:
                values, there = matrix_of(table.column(name))
                if name not in read:
                    shape = (n, values.shape[1])
                    read[name] = np.empty(shape, dtype=np.float32), np.empty(n, dtype=bool)
                matrix, present = read[name]
                matrix[part], present[part] = values, there
            rest.append(table.drop_columns(lists))
            start = part.stop
    if start != n:
        raise pa.ArrowInvalid(f"it has {start} of {n} rows")
    frame = _as_pandas(pa.concat_tables(rest))
    if frame.columns.empty:  # a table without columns does not know how long it is
        frame = pd.DataFrame(index=pd.RangeIndex(n))
    for name, (matrix, present) in read.items():
        frame[name] = column_of_rows(matrix, present, frame.index)
    frame = frame[schema.names]
    noted = _noted_in(schema)
    frame.attrs = {ENCODERS: noted} if noted else {}
    return frame


def _noted_in(schema: pa.Schema) -> dict[str, dict[str, str]]:
    """Return which encoder made which column, if the file says so."""
    try:
        attrs = json.loads((schema.metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
    except (ValueError, RecursionError):
        return {}
    return noted_encoders(attrs) if isinstance(attrs, dict) else {}


def _as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a frame with the dtypes that pandas noted in the file; an index is a column here."""
    metadata = dict(table.schema.metadata or {})
    metadata.pop(b"PANDAS_ATTRS", None)  # read by _noted_in, which trusts nothing in it
    try:
        notes = json.loads(metadata.pop(b"pandas"))
        notes |= {"index_columns": [], "column_indexes": []}
        notes["columns"] = [note for note in notes["columns"] if note["name"] == note["field_name"]]
        metadata[b"pandas"] = json.dumps(notes).encode()
        return table.replace_schema_metadata(metadata).to_pandas()
    except Exception:  # no notes, or damaged ones
        return table.replace_schema_metadata(None).to_pandas()
