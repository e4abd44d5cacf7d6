"""What a shard is on disk: a Parquet file that is complete, and whose name proves it.

``shard-<plan>-<content>.parquet`` holds the hash of what the shard was made from (recipe; path,
size and time of every picture) and the hash of the file. So the presence of a name says that its
work is done, and a corrupt shard is recognised by its own name.
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

import pyarrow as pa
import pyarrow.parquet as pq

from simlib.encoders.base import require_encoder
from simlib.storage import atomic
from simlib.storage.hashing import sha256_of

FORMAT = 2
"""1 until large JPEGs were decoded at a fraction of their size: its rows are of full pictures."""

MANIFEST_FORMAT = 2
UNFINISHED = ".unfinished-"
CANNOT_WRITE = (
    "The shards cannot be written ({reason}); nothing was left half-written. Once that is fixed, "
    "the same call continues where it stopped"
)
MANIFEST_NAME = "_shards.json"  # pandas and pyarrow ignore names that begin with an underscore
LOCK_NAME = ".lock"
NOTES = b"simlib"
"""The key of our own metadata in a Parquet footer."""

_SHARD_NAME = re.compile(r"shard-([0-9a-f]{16})-([0-9a-f]{16})\.parquet")


class ShardError(ValueError):
    """A shard that is corrupt or missing; the message names it and the way out.

    Attributes
    ----------
    path : str
    reason : str

    Examples
    --------
    >>> print(ShardError("out/shard-1-2.parquet", "No such file or directory"))
    The shard 'out/shard-1-2.parquet' is missing or corrupt (No such file or directory). Make it
    again: the same call of simlib.embed_folder that made it, with verify=True.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)  # both in args, so that it survives pickling by a worker
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"The shard {self.path!r} is missing or corrupt ({self.reason}). Make it again: the "
            "same call of simlib.embed_folder that made it, with verify=True."
        )


class MadeBy(NamedTuple):
    """What has to be known of an encoder without loading it."""

    encoder: str
    column: str
    dim: int
    recipe: str

    @classmethod
    def of(cls, encoder: object) -> MadeBy:
        encoder = require_encoder(encoder)
        if encoder.dim is None:
            raise ValueError(
                f"The length of the embeddings of {encoder!r} depends on the pictures, but shards "
                "need one length for all. Choose a size: "
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


def describe_encoder(encoder: object) -> tuple[MadeBy, str]:
    """Return what makes an encoder's shards, and the recipe of what reads its texts."""
    return MadeBy.of(encoder), getattr(encoder, "text_recipe", "")


class Shard(NamedTuple):
    """What the name and the footer of a shard say of it."""

    file: str
    made_by: MadeBy
    first: str  # path
    last: str
    pictures: int
    failed: int
    unread: int  # of the failed ones, those that could not even be read

    @property
    def plan(self) -> str:
        return _hashes(self.file)[0]


def is_shard(file: str) -> bool:
    return _SHARD_NAME.fullmatch(file) is not None


def _hashes(file: str) -> tuple[str, str]:
    """The hashes of plan and content in the name of a shard."""
    match = _SHARD_NAME.fullmatch(file)
    if match is None:
        raise ValueError(f"{file!r} is not the name of a shard.")
    return match[1], match[2]


def check_content(out: Path, file: str) -> None:
    """Raise a ShardError unless the content of a shard is what its name says."""
    try:
        content = sha256_of(out / file)[:16]
    except OSError as error:
        raise ShardError(str(out / file), os.strerror(error.errno or 0)) from error
    if content != _hashes(file)[1]:
        raise ShardError(str(out / file), "its content does not match its name")


def open_shard(out: Path, file: str) -> pq.ParquetFile:
    """Open a shard after checking its content."""
    check_content(out, file)
    try:
        return pq.ParquetFile(out / file)
    except (pa.ArrowException, OSError) as error:
        raise ShardError(str(out / file), str(error)) from error


def describe(out: Path, file: str) -> Shard:
    """Read the footer of a shard; its rows are not checked."""
    try:
        with pq.ParquetFile(out / file) as opened:
            notes = json.loads((opened.metadata.metadata or {})[NOTES])
        made_by = MadeBy(*map(notes.get, MadeBy._fields))
        shard = Shard(file, made_by, *map(notes.get, Shard._fields[2:]))
        kinds = [str, MadeBy, str, str, int, int, int, str, str, int, str]
        if [type(value) for value in (*shard, *made_by)] != kinds:
            raise ValueError("its footer is corrupt")
        return shard
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShardError(str(out / file), str(error)) from error


def format_of(opened: pq.ParquetFile) -> int:
    """Return the format of a shard, as its footer says."""
    return int(json.loads((opened.metadata.metadata or {})[NOTES]).get("format", 1))


def columns_of(opened: pq.ParquetFile) -> list[list]:
    """Path, size, mtime_ns, content_hash, status and reason of every row, as lists."""
    names = opened.schema_arrow.names[:6]
    return [column.to_pylist() for column in opened.read(columns=names).columns]


def file_of_shards(
    folder: Path, name: str | Callable[[Path], str]
) -> AbstractContextManager[IO[bytes]]:
    """A file of the shards to write; see :func:`simlib.storage.atomic.atomic_write`."""
    return atomic.atomic_write(folder, name, UNFINISHED, CANNOT_WRITE)


class Manifest(NamedTuple):
    """The list of shards; replaced atomically, once everything on it is there."""

    folder: str
    encoder: str
    column: str
    dim: int
    recipe: str
    pictures: int
    shards: list[str]
    finished: bool
    text_recipe: str = ""  # of what reads texts for these pictures, where that is another model

    @classmethod
    def read(cls, out: Path) -> Manifest | None:
        """The list in a folder; None if there is none, or none that can be read."""
        try:
            fields = json.loads((out / MANIFEST_NAME).read_bytes())
            if fields.pop("format") != MANIFEST_FORMAT:
                raise ValueError("another format")
            manifest = cls(**fields)
            kinds = [str, str, str, int, str, int, list, bool, str]
            if [type(field) for field in manifest] != kinds:
                raise ValueError("fields of the wrong type")
            if not all(map(is_shard, manifest.shards)):
                raise ValueError("names that are not those of shards")
            return manifest
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            warnings.warn(
                f"The list of shards {str(out / MANIFEST_NAME)!r} is corrupt or was written by "
                "another version of simlib. simlib.embed_folder makes it again from the shards.",
                stacklevel=3,
            )
            return None

    @property
    def made_by(self) -> MadeBy:
        return MadeBy(self.encoder, self.column, self.dim, self.recipe)

    def write(self, out: Path) -> None:
        with file_of_shards(out, MANIFEST_NAME) as file:
            fields = {"format": MANIFEST_FORMAT, **self._asdict()}
            file.write(json.dumps(fields, indent=1).encode())

    def root(self, folder: str | os.PathLike[str] | None) -> Path:
        """Where the pictures are, as far as is known."""
        return Path(self.folder if folder is None else folder).expanduser().absolute()


def finished_manifest(out: Path) -> Manifest:
    """The list of shards, held against their footers; a ValueError if they are not complete."""
    manifest = Manifest.read(out)
    if manifest is None:
        raise FileNotFoundError(
            f"There are no shards in {str(out)!r}. Make them first: simlib.embed_folder(folder, "
            "out, encoder)."
        )
    if not manifest.finished:
        raise ValueError(
            f"The shards in {str(out)!r} are not complete. Call simlib.embed_folder again, as "
            "before: it continues where it stopped."
        )
    made_by = manifest.made_by
    shards = [describe(out, file) for file in manifest.shards]
    pictures = sum(shard.pictures for shard in shards)
    if pictures != manifest.pictures or any(shard.made_by != made_by for shard in shards):
        raise ValueError(
            f"The list of shards {str(out / MANIFEST_NAME)!r} does not match the shards. Call "
            "simlib.embed_folder again, as before: it repairs the list."
        )
    return manifest


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make the folder and keep other processes out, until this one ends, however it ends."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(out / LOCK_NAME).acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"Another process is writing to {str(out)!r}. Wait until it is done, or choose another "
            "folder."
        ) from None
    with lock:
        yield
