"""What a shard is on the disk: a Parquet file that is whole, and whose name proves it.

``shard-<plan>-<content>.parquet`` holds the hash of what the shard was made from (recipe; path,
size and time of every picture) and the hash of the file. So the presence of a name says that its
work is done, and a damaged shard is known by its own name.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simlib.columns import forget_pages
from simlib.encoders.base import Encoder
from simlib.images import ImageError
from simlib.storage import atomic
from simlib.storage.hashing import sha256_of
from simlib.storage.parquet import matrix_of

FORMAT = 1
UNFINISHED = ".unfinished-"
CANT_WRITE = (
    "The shards can't be written ({reason}); nothing was left half-written. Mend that, and the same"
    " call goes on where it was stopped"
)
MANIFEST_NAME = "_shards.json"  # pandas and pyarrow pass over names that begin so
LOCK_NAME = ".lock"
NOTES = b"simlib"
"""The key of our own notes in a Parquet footer."""

_SHARD_NAME = re.compile(r"shard-([0-9a-f]{16})-([0-9a-f]{16})\.parquet")


class ShardError(ValueError):
    """A shard that is damaged or missing; the message is a sentence that names it and the way out.

    Attributes
    ----------
    path : str
    reason : str

    Examples
    --------
    >>> print(ShardError("out/shard-1-2.parquet", "No such file or directory"))
    The shard 'out/shard-1-2.parquet' is missing or damaged (No such file or directory); the call
    of simlib.embed_folder that made it makes it anew with verify=True.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)  # both in args, so that it survives pickling by a worker
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"The shard {self.path!r} is missing or damaged ({self.reason}); the call of "
            "simlib.embed_folder that made it makes it anew with verify=True."
        )


class MadeBy(NamedTuple):
    """What has to be known of an encoder without having it."""

    encoder: str
    column: str
    dim: int
    recipe: str

    @classmethod
    def of(cls, encoder: Encoder) -> MadeBy:
        if not isinstance(encoder, Encoder):
            raise TypeError(
                f"{encoder!r} is not an encoder; make one with simlib.load_encoder(name) first."
            )
        if encoder.dim is None:
            raise ValueError(
                f"How long the embeddings of {encoder!r} are hangs on the pictures, but shards "
                "need one length for all. Name a size: "
                "simlib.load_encoder('pixels', size=(64, 64))."
            )
        return cls(encoder.name, encoder.column, encoder.dim, encoder.recipe)

    def refuse_other(self, theirs: MadeBy, out: Path) -> None:
        """Raise a ValueError if the shards in ``out`` were made by another encoder."""
        if theirs != self:
            raise ValueError(
                f"{str(out)!r} holds embeddings made by {theirs.encoder!r} (recipe: "
                f"{theirs.recipe}), not by {self.encoder!r} (recipe: {self.recipe}). Choose "
                "another folder for these."
            )


class Entry(NamedTuple):
    """A shard as the list of shards describes it."""

    file: str
    bytes: int
    first: str
    last: str
    pictures: int
    failed: int
    unread: int  # of the failed ones, those that were not even read

    @classmethod
    def of(cls, values: list) -> Entry:
        """Return the entry for values that were read from a file; a ValueError for others."""
        entry = cls(*values)
        for value, kind in zip(entry, (str, int, str, str, int, int, int), strict=True):
            if type(value) is not kind:
                raise ValueError(f"{value!r} is not of type {kind.__name__}")
        if not is_shard(entry.file):
            raise ValueError(f"{entry.file!r} is not the name of a shard")
        return entry

    @property
    def plan(self) -> str:
        return _SHARD_NAME.fullmatch(self.file).group(1)


_NOTED = Entry._fields[2:]
"""What the footer of a shard says of it."""


def schema_of(made_by: MadeBy) -> pa.Schema:
    return pa.schema(
        {
            "path": pa.string(),
            "size": pa.int64(),
            "mtime_ns": pa.int64(),
            "content_hash": pa.string(),
            "status": pa.string(),
            "reason": pa.string(),
            made_by.column: pa.list_(pa.float32(), made_by.dim),
        }
    )


def is_shard(file: str) -> bool:
    return _SHARD_NAME.fullmatch(file) is not None


def open_shard(out: Path, file: str) -> pq.ParquetFile:
    """Open a shard whose content is what its name says."""
    check_content(out, file)
    try:
        return pq.ParquetFile(out / file)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(out, file, str(error)) from error


def check_content(out: Path, file: str) -> None:
    try:
        content = sha256_of(out / file)[:16]
    except OSError as error:
        raise _damaged(out, file, os.strerror(error.errno or 0)) from error
    if content != _SHARD_NAME.fullmatch(file).group(2):
        raise _damaged(out, file, "its content is not that of its name")


def _damaged(out: Path, file: str, reason: str) -> ShardError:
    return ShardError(str(out / file), reason)


def describe(out: Path, file: str, made_by: MadeBy) -> Entry:
    """What the footer of a shard says that is on no list."""
    try:
        with pq.ParquetFile(out / file) as opened:
            notes = json.loads(opened.metadata.metadata[NOTES])
            theirs = MadeBy(*(notes[field] for field in MadeBy._fields))
            entry = Entry.of([file, os.stat(out / file).st_size, *map(notes.get, _NOTED)])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(out, file, str(error)) from error
    made_by.refuse_other(theirs, out)
    return entry


def read_rows(out: Path, file: str) -> list[list]:
    """path, size, mtime_ns, content_hash, status and reason, as lists."""
    with open_shard(out, file) as opened:
        return _rows(opened)


def _rows(opened: pq.ParquetFile) -> list[list]:
    columns = opened.schema_arrow.names[:6]
    return [column.to_pylist() for column in opened.read(columns=columns).columns]


def fill_from(
    opened: pq.ParquetFile, column: str, matrix: np.ndarray, present: np.ndarray, start: int
) -> None:
    """Copy the embeddings of a shard into a matrix, from its row ``start`` on."""
    for group in range(opened.num_row_groups):
        part, there = matrix_of(opened.read_row_group(group, columns=[column]).column(0))
        matrix[start : start + len(part)] = part
        present[start : start + len(part)] = there
        forget_pages(matrix)
        start += len(part)


def plain_frame(opened: pq.ParquetFile, root: Path, start: int) -> pd.DataFrame:
    """The columns of a shard other than the embeddings."""
    path, _, _, content_hash, status, reason = _rows(opened)
    paths = [os.path.join(root, *below.split("/")) for below in path]
    errors = [
        None if why is None else str(ImageError(path, why))
        for path, why in zip(paths, reason, strict=True)
    ]
    columns = {"img_path": paths, "content_hash": content_hash, "status": status, "error": errors}
    return pd.DataFrame(columns, index=pd.RangeIndex(start, start + len(paths)), dtype=object)


def file_of_shards(
    folder: Path, name: str | Callable[[Path], str]
) -> AbstractContextManager[IO[bytes]]:
    """A file of the shards to write; see :func:`simlib.storage.atomic.atomic_write`."""
    return atomic.atomic_write(folder, name, UNFINISHED, CANT_WRITE)


class Manifest:
    """The list of shards; replaced in one step, when all that is on it is there."""

    def __init__(self, **fields) -> None:
        self.folder: str = fields["folder"]
        self.encoder: str = fields["encoder"]
        self.column: str = fields["column"]
        self.dim: int = fields["dim"]
        self.recipe: str = fields["recipe"]
        self.finished: bool = fields["finished"]
        self.shards: list[Entry] = fields["shards"]

    @classmethod
    def of(cls, folder: str, made_by: MadeBy) -> Manifest:
        return cls(folder=folder, **made_by._asdict(), finished=False, shards=[])

    @classmethod
    def read(cls, out: Path) -> Manifest | None:
        """The list in a folder; None if there is none, or none that can be read."""
        try:
            fields = json.loads((out / MANIFEST_NAME).read_bytes())
            if fields.pop("format") != FORMAT:
                raise ValueError("another format")
            manifest = cls(**fields)
            manifest.shards = [Entry.of(values) for values in manifest.shards]
            for name, kind in (("folder", str), ("dim", int), ("recipe", str), ("column", str)):
                if type(getattr(manifest, name)) is not kind:
                    raise ValueError(f"{name} is not {kind}")
            return manifest
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            warnings.warn(
                f"The list of shards {str(out / MANIFEST_NAME)!r} is damaged; it is made anew from "
                "the shards by simlib.embed_folder.",
                stacklevel=3,
            )
            return None

    def write(self, out: Path) -> None:
        fields = {"format": FORMAT, **vars(self)}
        with file_of_shards(out, MANIFEST_NAME) as file:
            file.write(json.dumps(fields, indent=1).encode())

    def root(self, folder: str | os.PathLike[str] | None) -> Path:
        """Where the pictures are, as far as is known."""
        return Path(self.folder if folder is None else folder).expanduser().absolute()

    @property
    def pictures(self) -> int:
        return sum(entry.pictures for entry in self.shards)

    @property
    def made_by(self) -> MadeBy:
        return MadeBy(self.encoder, self.column, self.dim, self.recipe)


def finished_manifest(out: Path) -> Manifest:
    manifest = Manifest.read(out)
    if manifest is None:
        raise FileNotFoundError(
            f"There are no shards in {str(out)!r}. Make them first: simlib.embed_folder(folder, "
            "out, encoder)."
        )
    if not manifest.finished:
        raise ValueError(
            f"The shards in {str(out)!r} are not complete. The same call of simlib.embed_folder "
            "that made them goes on where it was stopped."
        )
    return manifest


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make the folder and keep other processes out, until this one ends, however it ends."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(
            f"Another process is writing to {str(out)!r}. Wait until it is done, or choose another "
            "folder."
        ) from None
    try:
        yield
    finally:
        lock.release()
