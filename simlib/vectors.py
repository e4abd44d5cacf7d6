"""Vectors of a user's own, as float32 rows: matrices, tensors, lists, tables, Arrow columns."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from simlib.arguments import short_repr, to_float32

BLOCK_VALUES = 2**16
"""So many values are gathered at a time: they are still in the processor's cache when used."""

KINDS = "fiub"
"""The kinds of dtypes whose values are real numbers: floats, whole numbers, and booleans."""


def are_alike(cells: Sequence) -> bool:
    """Return whether all cells are arrays of real numbers, of one dimension, length and dtype.

    Examples
    --------
    >>> are_alike([np.zeros(2), np.ones(2)]), are_alike([np.zeros(2), np.ones(3)])
    (True, False)
    """
    if set(map(type, cells)) != {np.ndarray}:
        return False
    first = cells[0]
    return (
        first.ndim == 1
        and first.size > 0
        and first.dtype.kind in KINDS
        and set(map(attrgetter("shape"), cells)) == {first.shape}
        and len(set(map(attrgetter("dtype"), cells))) == 1
    )


def gather(cells: Sequence[Any]) -> np.ndarray:
    """Return the values of some arrays, at least one and all alike, as float32 ``(n, dim)``.

    Examples
    --------
    >>> gather([np.array([3, 4]), np.array([0, 1])])
    array([[3., 4.],
           [0., 1.]], dtype=float32)
    """
    try:
        values = np.frombuffer(b"".join(cells), dtype=cells[0].dtype)  # a third of concatenate's
    except TypeError:  # not contiguous
        values = np.concatenate(cells)
    with np.errstate(over="ignore"):  # beyond float32 is infinite
        return values.reshape(len(cells), -1).astype(np.float32, copy=False)


def blocks(rows: int, dim: int) -> Iterator[slice]:
    """Yield slices that cover so many rows, BLOCK_VALUES values at most each.

    Examples
    --------
    >>> list(blocks(5, BLOCK_VALUES // 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, BLOCK_VALUES // max(1, dim))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def stack(cells: Sequence, labels: pd.Index, column: str) -> np.ndarray:
    """Return cells of any kinds as a float32 matrix ``(n, dim)``.

    Raises
    ------
    ValueError
        If a cell, named by its label, is not a row of numbers or has another length than the first.

    Examples
    --------
    >>> stack([[3, 4], np.array([0.5, 1])], pd.Index(["a", "b"]), "own")
    array([[3. , 4. ],
           [0.5, 1. ]], dtype=float32)
    """
    if are_alike(cells):
        matrix = np.empty((len(cells), cells[0].size), dtype=np.float32)
        for part in blocks(*matrix.shape):
            matrix[part] = gather(cells[part])
        return matrix
    packed = _packed(cells)
    if packed is not None:
        return packed
    rows: list[np.ndarray] = []
    for label, cell in zip(labels, cells, strict=True):
        row = to_float32(cell)
        if row is None or row.ndim != 1 or row.size == 0:
            raise ValueError(
                f"The cell of {column!r} at label {label!r} is {type(cell).__name__}, "
                "not a row of numbers. Expected lists or one-dimensional arrays of numbers."
            )
        if rows and row.shape != rows[0].shape:
            raise ValueError(
                f"The column {column!r} mixes embeddings of {rows[0].size} and {row.size} "
                f"values (first at label {label!r}). Embed all pictures with one encoder."
            )
        rows.append(row)
    return np.stack(rows)


def _packed(cells: Sequence) -> np.ndarray | None:
    """Return lists of numbers as a matrix, twice as fast as numpy; None if they are anything else.

    Examples
    --------
    >>> _packed([[3, 4.5], (0, True)])
    array([[3. , 4.5],
           [0. , 1. ]], dtype=float32)
    >>> _packed([[3, "4"]]) is None
    True
    """
    if not set(map(type, cells)) <= {list, tuple} or len(set(map(len, cells))) != 1:
        return None
    try:
        if np.asarray(cells[0]).dtype.kind not in KINDS or not cells[0]:
            return None
        row = struct.Struct(f"{len(cells[0])}f")
        matrix = np.empty((len(cells), len(cells[0])), dtype=np.float32)
        for start, cell in zip(range(0, matrix.nbytes, row.size), cells, strict=True):
            row.pack_into(matrix.data, start, *cell)
    except (struct.error, TypeError, ValueError, OverflowError):
        return None
    return matrix


class Vectors:
    """What a user hands in as the vectors of a frame's rows, checked and not yet copied.

    Attributes
    ----------
    dim : int
        The number of values in a vector.
    present : numpy.ndarray
        bool ``(n,)``, which rows have one.
    """

    def __init__(self, dim: int, present: np.ndarray, parts: Sequence[Any]) -> None:
        self.dim = dim
        self.present = present
        self._parts = parts

    def copy_to(self, matrix: np.ndarray) -> None:
        """Write the vectors into a float32 ``(n, dim)``; rows that have none become zero."""
        if not self.present.all():
            matrix[~self.present] = 0
        places, start = np.flatnonzero(self.present), 0
        in_order = len(places) == len(matrix)
        for part in self._parts:
            for block in blocks(len(part), self.dim):
                values = _as_float32(part[block])
                those = slice(start, start + len(values))
                matrix[those if in_order else places[those]] = values
                start = those.stop

    @classmethod
    def of(cls, vectors: Any, labels: pd.Index, column: str) -> Vectors:
        """Read the vectors for the rows with some labels.

        Raises
        ------
        TypeError, ValueError
            If they are none, or not one for each row; the message calls them ``column``.
        """
        if isinstance(vectors, (pd.Series, pd.DataFrame)):
            vectors = _in_order_of(labels, vectors, column)
        if _is_arrow(vectors):
            return cls._of_arrow(vectors, labels, column)
        if isinstance(vectors, (list, tuple, pd.Series)):
            return cls._of_cells(vectors, labels, column)
        matrix = _as_array(vectors, column)
        if matrix.ndim == 1 and matrix.dtype == object:
            return cls._of_cells(matrix, labels, column)
        if matrix.ndim != 2:
            raise ValueError(
                f"The vectors for {column!r} have the shape {tuple(matrix.shape)}. Expected a row "
                f"for each row of the frame, ({len(labels)}, dim)."
            )
        _require_rows(len(matrix), labels, column)
        if matrix.shape[1] == 0:
            raise ValueError(f"The vectors for {column!r} have no values: {tuple(matrix.shape)}.")
        return cls(matrix.shape[1], np.ones(len(matrix), dtype=bool), [matrix])

    @classmethod
    def _of_cells(cls, vectors: Sequence | pd.Series, labels: pd.Index, column: str) -> Vectors:
        _require_rows(len(vectors), labels, column)
        cells = np.empty(len(vectors), dtype=object)
        for position, cell in enumerate(vectors):  # numpy would take apart what it can
            cells[position] = cell
        present = ~np.asarray(pd.isna(cells), dtype=bool)
        if len(cells) and not present.any():
            raise ValueError(f"There is no vector at all for {column!r}: every row is missing.")
        rows = cells[present].tolist()
        if are_alike(rows):
            return cls(rows[0].size, present, [_Cells(rows)])
        matrix = stack(rows, labels[present], column) if rows else np.empty((0, 0), np.float32)
        return cls(matrix.shape[1], present, [matrix])

    @classmethod
    def _of_arrow(cls, vectors: Any, labels: pd.Index, column: str) -> Vectors:
        import pyarrow as pa
        import pyarrow.compute as pc

        _require_rows(len(vectors), labels, column)
        chunks = vectors.chunks if isinstance(vectors, pa.ChunkedArray) else [vectors]
        chunks = [c.storage if isinstance(c, pa.ExtensionArray) else c for c in chunks]
        kind = chunks[0].type if chunks else vectors.type
        is_list = pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list
        if not any(test(kind) for test in is_list) or not _is_number(kind.value_type):
            raise ValueError(
                f"The Arrow column for {column!r} is of {kind}. Expected lists of numbers, one for "
                "each row, such as fixed_size_list<float>[dim]."
            )
        lengths = {n for c in chunks for n in pc.unique(pc.list_value_length(c)).to_pylist()}
        lengths.discard(None)
        if len(lengths) > 1 or 0 in lengths:
            few = " and ".join(map(str, sorted(lengths)[:2]))
            raise ValueError(
                f"The Arrow column for {column!r} has lists of {few} values. Expected one length, "
                "of at least 1, or null where a row has no vector."
            )
        present = [c.is_valid().to_numpy(zero_copy_only=False) for c in chunks]
        there = np.concatenate([np.empty(0, dtype=bool), *present])
        if len(there) and not lengths:
            raise ValueError(f"There is no vector at all for {column!r}: every row is missing.")
        dim = lengths.pop() if lengths else 0
        values = [c.flatten().to_numpy(zero_copy_only=False) for c in chunks if len(c)]
        return cls(dim, there, [part.reshape(-1, dim) for part in values])


class _Cells:
    """Arrays that are all alike, to be sliced as a matrix is."""

    def __init__(self, cells: list[np.ndarray]) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, part: slice) -> np.ndarray:
        return gather(self._cells[part])


def _as_float32(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32, copy=False)


def _as_array(vectors: Any, column: str) -> Any:
    """Return what can be sliced as an array of real numbers or of objects: an array or a tensor."""
    if hasattr(vectors, "detach"):  # a tensor of torch's: copied a part at a time, as arrays are
        if vectors.is_complex() or str(vectors.layout) != "torch.strided":
            raise _not_numbers(vectors, column)
        return vectors
    try:
        if isinstance(vectors, np.ma.MaskedArray):  # what is masked is no number
            vectors = np.ma.filled(vectors.astype(np.float32), np.nan)
        array = np.asarray(vectors)
    except (TypeError, ValueError) as error:
        raise _not_numbers(vectors, column) from error
    if array.dtype == object and array.ndim == 2:
        numbers = to_float32(array)
        if numbers is None:
            raise _not_numbers(vectors, column)
        return numbers
    if array.ndim == 0 or (array.dtype != object and array.dtype.kind not in KINDS):
        raise _not_numbers(vectors, column)
    return array


def _not_numbers(vectors: Any, column: str) -> TypeError:
    kind = getattr(vectors, "dtype", None)
    return TypeError(
        f"The vectors for {column!r} are {short_repr(type(vectors).__name__)}"
        f"{'' if kind is None else f' of {kind}'}, not rows of real numbers. Expected a matrix "
        "(n, dim) of floats, a tensor, a list of rows, a column of a frame, or an Arrow column of "
        "lists."
    )


def _require_rows(rows: int, labels: pd.Index, column: str) -> None:
    if rows != len(labels):
        raise ValueError(
            f"There are {rows:,} vectors for {column!r}, but the frame has {len(labels):,} rows. "
            "Give one for each row, in the frame's order; None where a row has none."
        )


def _in_order_of(labels: pd.Index, vectors: pd.Series | pd.DataFrame, column: str) -> Any:
    """Return the rows of a Series or frame of vectors in the order of a frame's labels."""
    _require_rows(len(vectors), labels, column)
    index = vectors.index
    if not index.equals(labels):
        unique = index.is_unique and labels.is_unique
        positions = index.get_indexer(labels) if unique else np.array([-1])
        if (positions >= 0).all():
            vectors = vectors.iloc[positions]  # as pandas' own assignment does
        elif not index.equals(pd.RangeIndex(len(index))):  # which says nothing but the position
            raise ValueError(
                f"The vectors for {column!r} have other labels than the frame "
                f"({_first(index)}, … and {_first(labels)}, …), so it is not clear "
                "which belongs to which row. To go by position: vectors.to_numpy(); to go by "
                "label: vectors.reindex(image_df.index)."
            )
    if isinstance(vectors, pd.DataFrame):
        return vectors.to_numpy()
    if isinstance(vectors.dtype, pd.ArrowDtype):
        import pyarrow as pa

        return pa.array(vectors.array)
    return vectors.to_numpy()


def _first(labels: pd.Index) -> str:
    return ", ".join(short_repr(label) for label in labels[:1])


def _is_arrow(vectors: Any) -> bool:
    pyarrow = sys.modules.get("pyarrow")  # not loaded: then this is not one of its arrays
    return pyarrow is not None and isinstance(vectors, (pyarrow.Array, pyarrow.ChunkedArray))


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_floating(kind) or pa.types.is_integer(kind)
