"""The embedding column: what a frame holds, and the float32 matrix behind it.

A column's cells are read-only row views of one contiguous matrix. To the eye it is a column of
numpy arrays, which survives sorting, filtering and sampling; underneath it costs no more than the
matrix, and the matrix comes back without copying.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simlib.arguments import short_repr, stacklevel_of_caller
from simlib.vectors import Vectors, are_alike, blocks, gather, stack

if TYPE_CHECKING:
    from simlib.encoders.base import Encoder

__all__ = ["embedding_matrix", "set_embeddings"]

ON_DISK_BYTES = 256 * 2**20
"""A matrix larger than this (in bytes) is kept in an unnamed temporary file, not in memory."""

MOST_REMEMBERED = 8
"""The embeddings of so many columns and slices of a frame are remembered at most."""

ENCODERS = "simlib_encoders"
"""The key of ``DataFrame.attrs`` under which each column says who made it: name and recipe.

It goes with the frame wherever pandas keeps ``attrs``, through pickle, and into Parquet files.
"""

SLOW_VALUES = 10_000_000
"""A column of so many values that are not ours takes noticeable time in every search."""

CHUNK_BYTES = 64 * 2**20
"""How much of a matrix on disk is looked at in one go."""


def new_matrix(rows: int, dim: int) -> np.ndarray:
    """Return an uninitialised float32 matrix ``(rows, dim)``, on disk where it is a large one.

    The temporary file has no name: it vanishes with the matrix, also when the process is killed.
    """
    if rows * dim * 4 <= ON_DISK_BYTES:
        return np.empty((rows, dim), dtype=np.float32)
    # On the disk of the temporary folder; TMPDIR moves it elsewhere.
    with tempfile.TemporaryFile(prefix="simlib-") as file:
        try:
            # Reserved now, so that a full disk is an error here and not a crash while writing.
            file.truncate(rows * dim * 4)
            _reserve(file.fileno(), rows * dim * 4)
        except OSError as error:
            raise OSError(
                error.errno,
                f"A matrix of {rows} × {dim} values needs {rows * dim * 4 / 1e9:.1f} GB in "
                f"{tempfile.gettempdir()}, but that failed: {error.strerror}. Make room, point "
                "TMPDIR to a larger disk, or embed fewer or smaller pictures",
            ) from error
        return np.memmap(file, dtype=np.float32, mode="r+", shape=(rows, dim))


def _reserve(file_descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file_descriptor, 0, size)


def forget_pages(matrix: np.ndarray) -> None:
    """Let go of the memory that shows parts of a matrix on disk; its values stay as they are."""
    file_map = _map_on_disk(matrix)
    if file_map is not None and hasattr(mmap, "MADV_DONTNEED"):
        file_map.madvise(mmap.MADV_DONTNEED)


def _map_on_disk(matrix: np.ndarray) -> mmap.mmap | None:
    root = _root(matrix)
    # What was written to a "c" map (copy on write) is nowhere but in memory.
    if not isinstance(root, np.memmap) or root.mode == "c":
        return None
    base: object = root.base
    return base if isinstance(base, mmap.mmap) else None


def column_of_rows(matrix: np.ndarray, present: np.ndarray, index: pd.Index) -> pd.Series:
    """Return an embedding column: row *i* of the matrix where ``present[i]``, else None."""
    _root(matrix).flags.writeable = matrix.flags.writeable = False
    rows = matrix.view(np.ndarray)  # a row of a plain array is a plain array
    cells = np.empty(len(rows), dtype=object)
    positions = np.flatnonzero(present)
    for position in positions:
        cells[position] = rows[position]
    column = pd.Series(cells, index=index, dtype=object)
    if len(positions):
        in_order = None if len(positions) == len(matrix) else positions
        embeddings = Embeddings(matrix, in_order, positions)
        _remembered.put(column.to_numpy(dtype=object), embeddings)  # the first query needn't look
    return column


def embedding_matrix(image_df: pd.DataFrame, embedding_col: str) -> np.ndarray:
    """Return the matrix behind a column of embeddings.

    Parameters
    ----------
    image_df : pandas.DataFrame
    embedding_col : str
        A column that :func:`simlib.embed` made, or one of the user's own: each cell a list or a
        one-dimensional array of numbers, all of the same length.

    Returns
    -------
    numpy.ndarray
        float32 ``(n, dim)``, row *i* for the frame's row at position *i*. Read-only and without a
        copy where the column is complete and in its first order, a copy otherwise.

    Raises
    ------
    KeyError
        If the frame has no such column.
    ValueError
        If a cell is missing, is not a row of numbers, or has another length than the others.

    Examples
    --------
    >>> frame = pd.DataFrame({"own": [[3, 4], [0, 1], [6, 8]]})
    >>> embedding_matrix(frame, "own")
    array([[3., 4.],
           [0., 1.],
           [6., 8.]], dtype=float32)
    """
    embeddings = Embeddings.of(image_df, embedding_col)
    if len(embeddings) < len(image_df):
        missing = image_df.index[np.setdiff1d(np.arange(len(image_df)), embeddings.positions)]
        raise ValueError(
            f"The column {embedding_col!r} has no embedding in {len(missing)} of {len(image_df)} "
            f"rows, the first at label {missing[0]!r}. Leave them out first: "
            f"image_df.dropna(subset=[{embedding_col!r}])."
        )
    return embeddings.whole()


def set_embeddings(
    image_df: pd.DataFrame, column: str, vectors: Any, encoder: Encoder | None = None
) -> pd.DataFrame:
    """Return the frame with vectors from elsewhere as an embedding column, as fast as our own.

    The vectors are copied into one float32 matrix, on disk where it is a large one; what happens to
    ``vectors`` later changes nothing.

    Parameters
    ----------
    image_df : pandas.DataFrame
        It is not changed.
    column : str
        The column to add or to replace.
    vectors : matrix, tensor, list, Series, DataFrame or Arrow array
        One row of ``dim`` real numbers for each row of the frame, in the frame's order: a matrix
        ``(n, dim)`` (an array, a memory map, a tensor of torch's on any device); a list, an array
        of objects or a Series of lists, arrays or tensors, where None or NaN says that a row has
        none; or a column of lists of Arrow's or of ``pandas.ArrowDtype``.

        A Series or DataFrame with the frame's labels in another order is sorted by them, as pandas
        does when it assigns one; with labels 0, 1, 2, … that are not the frame's it goes by
        position.
    encoder : Encoder, optional
        What made the vectors, so that pictures and words can be compared with them.

    Returns
    -------
    pandas.DataFrame
        A new frame, index and rows as before. A warning counts the vectors that have no direction
        (zero or not finite in float32), which every search leaves out.

    Raises
    ------
    TypeError
        If ``image_df`` is not a frame, ``encoder`` not an encoder, or ``vectors`` not real numbers.
    ValueError
        If there are more or fewer vectors than rows, if their lengths differ or are 0, if a Series
        has other labels than the frame, or if the encoder makes vectors of another length.
    OSError
        If a large matrix finds no room in the folder for temporary files.

    Examples
    --------
    >>> frame = pd.DataFrame({"img_path": ["a.jpg", "b.jpg"]})
    >>> frame = set_embeddings(frame, "own", np.array([[3.0, 4.0], [0.0, 1.0]]))
    >>> frame["own"].iloc[0]
    array([3., 4.], dtype=float32)
    """
    if not isinstance(image_df, pd.DataFrame):
        raise TypeError(f"Expected a pandas DataFrame, but got {type(image_df).__name__}.")
    if not isinstance(column, str) or column == "img_path":
        raise ValueError(
            f"column={short_repr(column)} can't hold the vectors. Expected a name, a str, other "
            "than 'img_path', where the pictures' paths stand."
        )
    if column in image_df.columns:
        require_column(image_df, column)
    if encoder is not None:
        from simlib.encoders.base import require_encoder

        require_encoder(encoder)
    read = Vectors.of(vectors, image_df.index, column)
    if encoder is not None and encoder.dim not in (None, read.dim):
        raise ValueError(
            f"The vectors for {column!r} have {read.dim} values, but the encoder {encoder.name!r} "
            f"makes {encoder.dim}. Pass the encoder that made them, or none."
        )
    matrix = new_matrix(len(image_df), read.dim)
    read.copy_to(matrix)
    forget_pages(matrix)
    embedded = image_df.assign(**{column: column_of_rows(matrix, read.present, image_df.index)})
    note_encoder(embedded, encoder, column)
    if encoder is not None:
        remember_encoder(matrix, encoder)
    if len(embedded):
        embeddings = Embeddings.of(embedded, column)
        lost = embeddings.positions[~embeddings.have_direction()]
        if len(lost):
            (first,) = embedded.index[lost[:1]]
            warnings.warn(
                f"{len(lost):,} of {len(embedded):,} vectors in {column!r} are zero or not finite "
                f"in float32, the first at label {short_repr(first)}. They have "
                "no direction, so every search leaves them out.",
                stacklevel=2,
            )
    return embedded


class Embeddings:
    """The embeddings of a column: some rows of a matrix.

    Those in arrays of the user's own, which may change, are a matrix only once it is asked for.

    Attributes
    ----------
    matrix : numpy.ndarray
        float32 ``(m, dim)``; possibly a memory map of a file larger than the memory.
    rows : numpy.ndarray or None
        int64 ``(n,)``, the rows of the matrix that are meant; None for all of them, in order.
    positions : numpy.ndarray
        int64 ``(n,)``, the positions in the frame to which they belong. Rows whose cell is missing
        are not among them.
    is_remembered : bool
        Whether the next one who asks for the column gets the same object.
    """

    def __init__(
        self, matrix: np.ndarray | list[np.ndarray], rows: np.ndarray | None, positions: np.ndarray
    ) -> None:
        self._cells: list[np.ndarray] = matrix if isinstance(matrix, list) else []
        self._matrix: np.ndarray | None = None if isinstance(matrix, list) else matrix
        self.rows = rows
        self.positions = positions
        self._norms: np.ndarray | None = None
        # By the encoder of the texts and their languages, for pictures by None: see simlib.fit.
        self.calibrations: dict[object, Any] = {}
        self._have_direction: np.ndarray | None = None
        self.is_remembered = False

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def matrix(self) -> np.ndarray:
        if self._matrix is None:
            self._matrix = stack(self._cells, pd.RangeIndex(len(self)), "")
        return self._matrix

    @property
    def dim(self) -> int:
        return self._cells[0].size if self._matrix is None else self._matrix.shape[1]

    @classmethod
    def of_matrix(cls, matrix: np.ndarray) -> Embeddings:
        """Return all rows of a matrix, float32 ``(n, dim)``, in order."""
        return cls(matrix, None, np.arange(len(matrix)))

    @classmethod
    def of(cls, image_df: pd.DataFrame, embedding_col: str) -> Embeddings:
        """Return the embeddings of a column, remembered from the last call where unchanged."""
        cells = _cells(image_df, embedding_col)
        remembered = _remembered.get(cells)
        if remembered is not None:
            return remembered
        positions = np.flatnonzero(~np.asarray(pd.isna(cells), dtype=bool))
        if len(positions) == 0:
            raise ValueError(f"The column {embedding_col!r} holds no embedding at all.")
        present = cells if len(positions) == len(cells) else cells[positions]
        shared = _shared_matrix(present)
        if shared is None:
            own = present.tolist()
            if are_alike(own):
                return cls(own, None, positions)
            return cls(stack(own, image_df.index[positions], embedding_col), None, positions)
        embeddings = cls(*shared, positions)
        _remembered.put(cells, embeddings)
        return embeddings

    def chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield ``(slice of the positions, float32 (step, dim))``, CHUNK_BYTES at most each."""
        if self.rows is None and _map_on_disk(self.matrix) is None:
            yield slice(0, len(self)), self.matrix
            return
        step = max(1, CHUNK_BYTES // (4 * self.dim))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            yield part, self.take(part)
            forget_pages(self.matrix)

    def measured_chunks(
        self,
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield what ``chunks`` does, the lengths to float32's precision, and ``have_direction``.

        Arrays of the user's own are read once for all of it, and are not copied into a matrix.
        """
        if self._matrix is not None:
            for part, chunk in self.chunks():
                yield part, chunk, self.norms()[part], self.have_direction()[part]
            return
        have_direction = np.empty(len(self), dtype=bool)
        for part in blocks(len(self), self.dim):
            chunk = gather(self._cells[part])
            lengths = _lengths(chunk)
            have_direction[part] = _may_be_compared(lengths)
            yield part, chunk, lengths, have_direction[part]
        self._have_direction = have_direction

    def whole(self) -> np.ndarray:
        """Return all of them as one float32 ``(n, dim)``, without a copy where that is possible."""
        matrix = self.matrix.view(np.ndarray)
        return matrix if self.rows is None else matrix[self.rows]

    def take(self, places: np.ndarray | slice) -> np.ndarray:
        """Return some of them, float32 ``(len(places), dim)``; places count from 0 to n - 1."""
        if self._matrix is None:
            cells = [self._cells[place] for place in np.arange(len(self))[places]]
            return gather(cells) if cells else np.empty((0, self.dim), dtype=np.float32)
        return self.matrix[places if self.rows is None else self.rows[places]]

    def some(self, which: np.ndarray) -> Embeddings:
        """Return some of them, without a copy; ``which`` is a mask bool ``(n,)`` or places."""
        if which.dtype == bool:
            if which.all():
                return self
            which = np.flatnonzero(which)
        rows = which if self.rows is None else self.rows[which]
        found = Embeddings(self.matrix, rows, self.positions[which])
        found._norms = None if self._norms is None else self._norms[which]
        return found

    def norms(self) -> np.ndarray:
        """Return the Euclidean lengths, float64 ``(n,)``; computed at the first call."""
        if self._norms is None:
            norms = np.empty(len(self))
            for part, chunk in self.chunks():
                norms[part] = np.sqrt(np.einsum("nd,nd->n", chunk, chunk, dtype=np.float64))
            self._norms = norms
        return self._norms

    def have_direction(self) -> np.ndarray:
        """Return which of them can be compared, bool ``(n,)``: not those zero or not finite."""
        if self._have_direction is None:
            self._have_direction = _may_be_compared(self.norms())
        return self._have_direction

    def forget_pages(self) -> None:
        """Let go of the memory that shows parts of a matrix on disk."""
        if self._matrix is not None:
            forget_pages(self._matrix)


def _may_be_compared(lengths: np.ndarray) -> np.ndarray:
    float32 = np.finfo(np.float32)
    return (lengths >= float32.tiny) & (lengths <= float32.max)


def _lengths(chunk: np.ndarray) -> np.ndarray:
    """Return the Euclidean lengths of the rows, float64 ``(n,)``, to float32's precision."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = np.vecdot(chunk, chunk)
    lengths = np.sqrt(squares.astype(np.float64))
    beyond = ~((squares > 1e-30) & (squares < 1e30))  # where float32 might have lost something
    if beyond.any():
        rows = chunk[beyond].astype(np.float64)
        lengths[beyond] = np.sqrt(np.vecdot(rows, rows))
    return lengths


class _Remembered:
    """The embeddings of columns that were asked for lately, forgotten together with their frame.

    A column is known again by its cells being the very same objects in the same order; since they
    are read-only, their values are the same, too. (An address alone could be that of a new array.)
    Slices of a frame are parts of its memory and so live as long: of each frame only the columns
    and slices that were asked for last are remembered, ``MOST_REMEMBERED`` of them.
    """

    def __init__(self) -> None:
        self._of_block: dict[int, dict[int, tuple[np.ndarray, Embeddings]]] = {}

    def get(self, cells: np.ndarray) -> Embeddings | None:
        entries = self._of_block.get(id(_root(cells)), {})
        address = cells.__array_interface__["data"][0]
        entry = entries.pop(address, None)
        # The bytes of an array of objects are their addresses. No other object can come to have one
        # of these, since the copy keeps those that were seen here alive.
        if entry is None or entry[0].tobytes() != cells.tobytes():
            return None
        entries[address] = entry  # now the last one
        return entry[1]

    def put(self, cells: np.ndarray, embeddings: Embeddings) -> None:
        block = _root(cells)
        key = id(block)
        if key not in self._of_block:
            self._of_block[key] = {}
            weakref.finalize(block, self._of_block.pop, key, None)
        embeddings.is_remembered = True
        entries = self._of_block[key]
        entries[cells.__array_interface__["data"][0]] = cells.copy(), embeddings
        for address in list(entries)[:-MOST_REMEMBERED]:
            entries.pop(address, None)


_remembered = _Remembered()
_warned: set[str] = set()
_encoders: dict[int, Encoder] = {}


def _root(array: np.ndarray) -> np.ndarray:
    """Return the array that owns the numbers that ``array`` shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def remember_encoder(matrix: np.ndarray, encoder: Encoder) -> None:
    """Note which encoder made a matrix, for as long as the matrix lives."""
    root = _root(matrix)
    _encoders[id(root)] = encoder
    weakref.finalize(root, _encoders.pop, id(root), None)


def encoder_of(embeddings: Embeddings) -> Encoder | None:
    """Return the encoder that made these embeddings in this process, or None."""
    if embeddings._matrix is None:  # arrays of the user's own
        return None
    return _encoders.get(id(_root(embeddings._matrix)))


def note_encoder(
    image_df: pd.DataFrame, encoder: Encoder | None, column: str | None = None
) -> None:
    """Write into the frame's ``attrs`` which encoder made a column, by default its own.

    Without an encoder, what is noted about the column goes.
    """
    noted = noted_encoders(image_df.attrs)
    column = column or (encoder.column if encoder is not None else "")
    noted.pop(column, None)
    if encoder is not None:
        noted[column] = {"name": encoder.name, "recipe": encoder.recipe}
        of_texts = getattr(encoder, "text_recipe", "")
        if of_texts:
            noted[column]["text_recipe"] = of_texts
    if noted or ENCODERS in image_df.attrs:
        image_df.attrs[ENCODERS] = noted


def noted_encoders(attrs: Mapping) -> dict[str, dict[str, str]]:
    """Return, by column, the name and the recipe of the encoder that made it, where it is noted.

    And ``text_recipe``, if another model than that of the pictures reads its texts.

    Examples
    --------
    >>> noted_encoders({ENCODERS: {"own": {"name": "mine", "recipe": "mine 1"}, "other": 7}})
    {'own': {'name': 'mine', 'recipe': 'mine 1'}}
    """
    noted = attrs.get(ENCODERS)
    keys = ("name", "recipe", "text_recipe")
    return {  # it may come from a file, so nothing about it is believed
        column: {key: made_by[key] for key in keys if isinstance(made_by.get(key), str)}
        for column, made_by in (noted.items() if isinstance(noted, Mapping) else ())
        if isinstance(made_by, Mapping)
        and isinstance(made_by.get("name"), str)
        and isinstance(made_by.get("recipe"), str)
    }


def _cells(image_df: pd.DataFrame, embedding_col: str) -> np.ndarray:
    column = require_column(image_df, embedding_col)
    if len(image_df) == 0:
        raise ValueError(f"The frame is empty, so {embedding_col!r} holds no embedding.")
    # Series.to_numpy takes several times as long, to the same end.
    return np.asarray(column.values) if column.dtype == object else column.to_numpy(dtype=object)


def warn_if_slow(embeddings: Embeddings, column: pd.Series) -> None:
    """Warn, once for each kind of cells, if a large column is read anew at every search."""
    if embeddings.is_remembered or len(embeddings) * embeddings.dim < SLOW_VALUES:
        return
    kind = type(column.iat[int(embeddings.positions[0])]).__name__
    if kind not in _warned:
        _warned.add(kind)
        name = column.name
        warnings.warn(
            f"The column {name!r} holds {len(embeddings):,} cells that are {kind}s of your own, "
            "and every search reads and checks all of them anew. Many times as fast: image_df = "
            f"simlib.set_embeddings(image_df, {name!r}, image_df[{name!r}]).",
            stacklevel=stacklevel_of_caller(),
        )


def require_column(image_df: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or raise a TypeError, KeyError or ValueError unless there is just one."""
    if not isinstance(image_df, pd.DataFrame):
        raise TypeError(f"Expected a pandas DataFrame, but got {type(image_df).__name__}.")
    if name not in image_df.columns:
        columns = ", ".join(map(str, image_df.columns))
        way_out = (
            " Where the pictures' paths are in another, rename it: "
            "image_df.rename(columns={'other': 'img_path'})."
            if name == "img_path"
            else ""
        )
        raise KeyError(f"The frame has no column {name!r}; it has: {columns}.{way_out}")
    column = image_df[name]
    if isinstance(column, pd.DataFrame):
        raise ValueError(
            f"The frame has {column.shape[1]} columns of the name {name!r}. Keep one of them: "
            "image_df.loc[:, ~image_df.columns.duplicated()]."
        )
    return column


def paths_at(image_df: pd.DataFrame, positions: np.ndarray) -> Any:
    """Return the pictures' paths at some positions; None where the frame has no ``img_path``."""
    if "img_path" not in image_df:
        return None
    column = require_column(image_df, "img_path")
    if isinstance(column.dtype, pd.StringDtype):
        return column.array.take(positions)
    paths = column.iloc[positions].to_numpy()
    try:
        pd.Series(paths)
    except UnicodeEncodeError:  # a file name that is not UTF-8, which pandas' str can't hold
        return pd.Series(paths, dtype=object)
    return paths


def _shared_matrix(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return ``(matrix, rows)`` if all cells are rows of one read-only matrix, else None."""
    first = cells[0]
    if type(first) is not np.ndarray or first.base is None:
        return None
    base, shape = first.base, first.shape
    if not (
        isinstance(base, np.ndarray)
        and len(shape) == 1
        and shape[0] > 0
        and base.dtype == np.float32
        and base.flags.c_contiguous
        and not _root(base).flags.writeable
        and base.size % shape[0] == 0
    ):
        return None
    start, row_bytes = base.__array_interface__["data"][0], 4 * shape[0]
    rows = np.empty(len(cells), dtype=np.int64)
    for position, cell in enumerate(cells):
        if (
            type(cell) is not np.ndarray
            or cell.base is not base
            or cell.shape != shape
            or cell.dtype != np.float32
            or cell.flags.writeable
            or not cell.flags.c_contiguous
        ):
            return None
        row, rest = divmod(cell.__array_interface__["data"][0] - start, row_bytes)
        if rest:
            return None
        rows[position] = row
    matrix = base.reshape(-1, shape[0])
    in_order = len(rows) == len(matrix) and np.array_equal(rows, np.arange(len(rows)))
    return matrix, None if in_order else rows
