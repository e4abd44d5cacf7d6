"""One task, one shard: take what earlier shards hold, embed the rest, write it whole."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simlib.embedding import embed
from simlib.encoders.base import Encoder
from simlib.images import ImageError, decode_image, read_image_file
from simlib.listing import Picture
from simlib.shards.files import (
    FORMAT,
    NOTES,
    Entry,
    MadeBy,
    ShardError,
    file_of_shards,
    matrix_of,
    open_shard,
    schema_of,
)
from simlib.storage.hashing import digest_of, sha256_of
from simlib.storage.parquet import ROW_GROUP_BYTES

CHUNK = 1024
"""The most pictures that are embedded, and written, in one go."""


@dataclass(frozen=True)
class Settings:
    """What is the same for all shards of a run."""

    folder: str
    out: str
    batch_size: int
    workers: int | None
    cache: bool
    retry_failed: bool


class Known(NamedTuple):
    """What an earlier shard says of a picture."""

    file: str
    row: int
    unchanged: bool  # by size and time
    content_hash: str | None
    status: str
    reason: str | None


@dataclass(frozen=True)
class Task:
    """All that is needed to make one shard, anywhere."""

    settings: Settings
    made_by: MadeBy
    plan: str
    pictures: list[Picture]
    known: dict[int, Known]  # by the position of the picture


def make_shard(
    task: Task, encoder: Encoder, tick: Callable[[int], object] = lambda done: None
) -> tuple[Entry, int]:
    """Write one shard, whole or not at all.

    Parameters
    ----------
    task : Task
    encoder : Encoder
        Of the recipe that the task names.
    tick : function
        Is told how many more pictures are done.

    Returns
    -------
    entry : Entry
        The shard.
    embedded : int
        How many embeddings were computed; the others came from earlier shards.
    """
    made_by = MadeBy.of(encoder)
    if made_by != task.made_by:
        raise ValueError(
            f"This worker's encoder gives other embeddings than the first one: {made_by}, not "
            f"{task.made_by}. Install the same packages and weights on every machine."
        )
    pictures, out = task.pictures, Path(task.settings.out)
    earlier = _EarlierEmbeddings(out, made_by.column)
    rows_of_a_group = min(CHUNK, max(1, ROW_GROUP_BYTES // (4 * made_by.dim)))
    batch_size = task.settings.batch_size
    step = max(rows_of_a_group // batch_size, 1) * batch_size  # so that batches are full
    embedded = failed = unread = 0
    name = ""

    def named(temporary: Path) -> str:
        nonlocal name
        name = f"shard-{task.plan}-{sha256_of(temporary)[:16]}.parquet"
        return name

    with file_of_shards(out, named) as file, earlier:
        writer = pq.ParquetWriter(
            file, schema_of(made_by), use_dictionary=["status", "reason"], write_statistics=False
        )
        with writer:
            for start in range(0, len(pictures), step):
                part = _Part(task, start, min(start + step, len(pictures)))
                embedded += part.fill(encoder, earlier)
                failed += part.failed
                unread += part.unread
                writer.write_table(part.table(schema_of(made_by)))
                tick(len(part.pictures))
            counts = {"pictures": len(pictures), "failed": failed, "unread": unread}
            ends = {"first": pictures[0].path, "last": pictures[-1].path}
            notes = {"format": FORMAT, **made_by._asdict(), **ends, **counts}
            writer.add_key_value_metadata({NOTES: json.dumps(notes)})
    size = os.stat(out / name).st_size
    return Entry(name, size, *ends.values(), *counts.values()), embedded


class _Part:
    """Some rows of a shard while they are being made."""

    def __init__(self, task: Task, start: int, stop: int) -> None:
        self.settings = task.settings
        self.pictures = task.pictures[start:stop]
        self.known = [task.known.get(place) for place in range(start, stop)]
        count = stop - start
        self.values = np.zeros((count, task.made_by.dim), dtype=np.float32)
        self.hashes: list[str | None] = [None] * count
        self.reasons: list[str | None] = [picture.problem for picture in self.pictures]
        self._kept: list[int] = []  # places whose embedding is in an earlier shard

    @property
    def failed(self) -> int:
        return sum(reason is not None for reason in self.reasons)

    @property
    def unread(self) -> int:
        rows = zip(self.pictures, self.hashes, strict=True)
        return sum(digest is None and picture.problem is None for picture, digest in rows)

    def fill(self, encoder: Encoder, earlier: _EarlierEmbeddings) -> int:
        """Take what is known, embed the rest; return how many embeddings were computed."""
        from joblib import cpu_count

        unknown = [
            place
            for place, picture in enumerate(self.pictures)
            if picture.problem is None and not self._keep(place, by_content=False)
        ]
        stamps = {place: self._stamp(place) for place in unknown}
        workers = self.settings.workers or min(8, cpu_count())
        with ThreadPoolExecutor(workers, thread_name_prefix="simlib-hash") as executor:
            for place, digest in zip(unknown, executor.map(self._digest, unknown), strict=True):
                if isinstance(digest, ImageError):
                    self.reasons[place] = digest.reason
                else:
                    self.hashes[place] = digest.hex()
        changed = [
            place
            for place in unknown
            if self.hashes[place] is not None and not self._keep(place, by_content=True)
        ]
        changed += self._fill_kept(earlier)
        return self._embed(sorted(changed), encoder, stamps)

    def _keep(self, place: int, by_content: bool) -> bool:
        """Take over what an earlier shard says of a picture, if it still holds."""
        known = self.known[place]
        if known is None:
            return False
        same = known.content_hash == self.hashes[place] if by_content else known.unchanged
        failed_before = known.status == "error"
        again = failed_before and (known.content_hash is None or self.settings.retry_failed)
        if not same or again:
            return False
        self.hashes[place], self.reasons[place] = known.content_hash, known.reason
        if not failed_before:
            self._kept.append(place)
        return True

    def _fill_kept(self, earlier: _EarlierEmbeddings) -> list[int]:
        """Copy embeddings from earlier shards; return the places where that was not possible."""
        places_of: dict[str, list[int]] = {}
        for place in self._kept:
            places_of.setdefault(self.known[place].file, []).append(place)
        lost = []
        for file, places in places_of.items():
            found = earlier.take(file, np.array([self.known[place].row for place in places]))
            if found is None:
                lost += places
            else:
                self.values[places] = found
        return lost

    def _embed(self, places: list[int], encoder: Encoder, stamps: dict[int, tuple]) -> int:
        if not places:
            return 0
        settings = self.settings
        frame = embed(
            pd.DataFrame({"img_path": [self._path(place) for place in places]}),
            encoder,
            batch_size=settings.batch_size,
            workers=settings.workers,
            cache=settings.cache,
            progress=False,
        )
        errors = frame["error"] if "error" in frame else [None] * len(frame)
        embedded = 0
        for place, cell, error in zip(places, frame[encoder.column], errors, strict=True):
            if place in stamps and self._stamp(place) != stamps[place]:
                # What was hashed may not be what was embedded.
                self.hashes[place] = None
                self.reasons[place] = "it was changed while it was read; the next run takes it"
            elif cell is None:
                self.reasons[place] = _reason(error, self._path(place))
                if not self._is_bad(place):
                    self.hashes[place] = None  # so that the next run tries it again
            else:
                self.values[place] = cell
                embedded += 1
        return embedded

    def _is_bad(self, place: int) -> bool:
        """Whether a picture can be read but not opened, so that only another file would help."""
        try:
            data = read_image_file(self._path(place))
        except ImageError:
            return False
        try:
            decode_image(data, self._path(place))
        except ImageError:
            return True
        return False

    def _path(self, place: int) -> str:
        return os.path.join(self.settings.folder, self.pictures[place].path)

    def _digest(self, place: int) -> bytes | ImageError:
        try:
            return digest_of(read_image_file(self._path(place)))
        except ImageError as error:
            return error

    def _stamp(self, place: int) -> tuple:
        try:
            status = os.stat(self._path(place))
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def table(self, schema: pa.Schema) -> pa.Table:
        missing = np.array([reason is not None for reason in self.reasons])
        columns = [
            [picture.path for picture in self.pictures],
            [picture.size for picture in self.pictures],
            [picture.mtime_ns for picture in self.pictures],
            self.hashes,
            ["ok" if reason is None else "error" for reason in self.reasons],
            self.reasons,
        ]
        embeddings = pa.FixedSizeListArray.from_arrays(
            pa.array(self.values.ravel()), type=schema.types[-1], mask=pa.array(missing)
        )
        return pa.table([*columns, embeddings], schema=schema)


def _reason(error: str, path: str) -> str:
    """The reason in the sentence of an ImageError, without the path, which a move would change."""
    before, after = str(ImageError(path, "\n")).split("\n")
    return error.removeprefix(before).removesuffix(after)


class _EarlierEmbeddings:
    """The embeddings in finished shards, by file and row."""

    def __init__(self, out: Path, column: str) -> None:
        self.out, self.column = out, column
        self._files: dict[str, pq.ParquetFile | None] = {}
        self._group: tuple[str, int, np.ndarray] | None = None  # the last one read

    def __enter__(self) -> _EarlierEmbeddings:
        return self

    def __exit__(self, *_) -> None:
        for opened in self._files.values():  # Windows would not remove an open file
            if opened is not None:
                opened.close()

    def take(self, file: str, rows: np.ndarray) -> np.ndarray | None:
        """Return float32 ``(len(rows), dim)``; None if the file is damaged."""
        if file not in self._files:
            try:
                self._files[file] = open_shard(self.out, file)
            except ShardError as error:
                warnings.warn(
                    f"The shard {error.path!r} is damaged ({error.reason}); its pictures are "
                    "embedded again.",
                    stacklevel=6,
                )
                self._files[file] = None
        opened = self._files[file]
        if opened is None:
            return None
        found, start = None, 0
        for group in range(opened.num_row_groups):
            stop = start + opened.metadata.row_group(group).num_rows
            here = (start <= rows) & (rows < stop)
            if here.any():
                matrix = self._matrix(file, opened, group)
                if found is None:
                    found = np.empty((len(rows), matrix.shape[1]), dtype=np.float32)
                found[here] = matrix[rows[here] - start]
            start = stop
        return found

    def _matrix(self, file: str, opened: pq.ParquetFile, group: int) -> np.ndarray:
        if self._group is None or self._group[:2] != (file, group):
            lists = opened.read_row_group(group, columns=[self.column]).column(0)
            self._group = (file, group, matrix_of(lists)[0])
        return self._group[2]
