"""One task, one shard: take what earlier shards hold, embed the rest, write the file atomically."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simlib.embedding import EmbeddingJob
from simlib.encoders.base import Encoder
from simlib.listing import Picture
from simlib.shards.files import (
    FORMAT,
    NOTES,
    MadeBy,
    Shard,
    ShardError,
    file_of_shards,
    format_of,
    open_shard,
)
from simlib.storage.hashing import sha256_of
from simlib.storage.parquet import ROW_GROUP_BYTES, matrix_of

CHUNK = 1024
"""The most pictures that are embedded, and written, at once."""


@dataclass(frozen=True)
class Task:
    """All that is needed to make one shard, anywhere."""

    folder: str
    out: str
    batch_size: int
    workers: int | None
    cache: bool
    retry_failed: bool
    made_by: MadeBy
    plan: str
    pictures: list[Picture]
    earlier: list[str]  # the shards that may hold some of the pictures already


def make_shard(
    task: Task, encoder: Encoder, tick: Callable[[int], object] = lambda done: None
) -> tuple[Shard, int]:
    """Write one shard atomically; return it, and how many embeddings were computed for it.

    ``tick`` is told how many more pictures are done.
    """
    made_by = MadeBy.of(encoder)
    if made_by != task.made_by:
        raise ValueError(
            f"This worker's encoder gives other embeddings than the first one: {made_by}, not "
            f"{task.made_by}. Install the same packages and weights on every machine."
        )
    rows_of_a_group = min(CHUNK, max(1, ROW_GROUP_BYTES // (4 * made_by.dim)))
    step = max(rows_of_a_group // task.batch_size, 1) * task.batch_size  # so that batches are full
    name, embedded, failed, unread = "", 0, 0, 0

    def named(temporary: Path) -> str:
        nonlocal name
        name = f"shard-{task.plan}-{sha256_of(temporary)[:16]}.parquet"
        return name

    # Earlier shards are closed before the new one gets its name, which may be that of one of them.
    with file_of_shards(Path(task.out), named) as file, ExitStack() as stack:
        earlier = _open_earlier(task, stack)
        schema = _schema(made_by)
        # By the statistics _take_unchanged finds a picture.
        writer = pq.ParquetWriter(
            file, schema, use_dictionary=["status", "reason"], write_statistics=["path"]
        )
        stack.enter_context(writer)
        for start in range(0, len(task.pictures), step):
            rows = [_Row(picture) for picture in task.pictures[start : start + step]]
            known = _take_unchanged(rows, earlier, task)
            embedded += _embed([row for row in rows if row.is_open], *known, encoder, task)
            failed += sum(row.reason is not None for row in rows)
            unread += sum(row.content_hash is None and not row.picture.problem for row in rows)
            writer.write_table(_table(rows, schema))
            tick(len(rows))
        ends = task.pictures[0].path, task.pictures[-1].path
        shard = Shard("", made_by, *ends, len(task.pictures), failed, unread)
        numbers = dict(zip(Shard._fields[2:], shard[2:], strict=True))
        notes = {"format": FORMAT, **made_by._asdict(), **numbers}
        writer.add_key_value_metadata({NOTES: json.dumps(notes)})
    return shard._replace(file=name), embedded


class _Row:
    """A row of a shard while it is being made."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.content_hash: str | None = None
        self.reason = picture.problem  # why it has no embedding
        self.embedding: np.ndarray | None = None

    @property
    def is_open(self) -> bool:
        return self.embedding is None and self.reason is None


def _take_unchanged(
    rows: list[_Row], earlier: list[pq.ParquetFile], task: Task
) -> tuple[dict[bytes, np.ndarray], dict[bytes, np.ndarray]]:
    """Fill in what earlier shards hold of pictures whose size and time are as before.

    Returns the embeddings that these shards hold thereabouts, by content: a picture may have been
    touched or renamed. Those of shards of format 1 are apart, and none of them is filled in: only
    its content says whether a picture is decoded in full as it was then. One row group is read at
    a time.
    """
    wanted = {row.picture.path: row for row in rows}
    first, last = rows[0].picture.path, rows[-1].picture.path
    by_content: dict[bytes, np.ndarray] = {}
    in_full: dict[bytes, np.ndarray] = {}
    for opened in earlier:
        is_old = format_of(opened) < FORMAT
        for group in range(opened.num_row_groups):
            ends = opened.metadata.row_group(group).column(0).statistics
            if ends and ends.has_min_max and (ends.min > last or ends.max < first):
                continue
            *columns, lists = opened.read_row_group(group).columns
            said = zip(*(column.to_pylist() for column in columns), strict=True)
            for values, embedding in zip(said, matrix_of(lists)[0], strict=True):
                path, size, mtime_ns, content_hash, _, reason = values
                if reason is None:
                    (in_full if is_old else by_content)[bytes.fromhex(content_hash)] = embedding
                elif content_hash is None or task.retry_failed:
                    continue
                row = wanted.get(path)
                if is_old and reason is None:
                    continue
                if row and (size, mtime_ns) == (row.picture.size, row.picture.mtime_ns):
                    row.content_hash, row.reason = content_hash, reason
                    row.embedding = embedding if reason is None else None
    return by_content, in_full


def _embed(
    rows: list[_Row],
    by_content: dict[bytes, np.ndarray],
    in_full: dict[bytes, np.ndarray],
    encoder: Encoder,
    task: Task,
) -> int:
    """Embed what is not known by content either; return how many embeddings were computed."""
    from joblib import cpu_count

    paths = [os.path.join(task.folder, row.picture.path) for row in rows]
    job = EmbeddingJob(paths, encoder, task.workers or min(8, cpu_count()))
    if by_content:
        job.take_from(_lookup(by_content), lambda done: None, by_digest=True)
    if in_full:  # found by the digest of a file only where the cache's key is that, too
        job.take_from(_lookup(in_full), lambda done: None)
    job.run(task.batch_size, task.cache, lambda done: None)
    for place, (row, digest, error) in enumerate(zip(rows, job.digests, job.errors, strict=True)):
        row.content_hash = None if digest is None else digest.hex()
        row.reason = error and error.reason
        row.embedding = job.matrix[place] if job.matrix is not None and not error else None
    return job.encoded


def _lookup(
    embeddings: dict[bytes, np.ndarray],
) -> Callable[[list[bytes]], dict[bytes, np.ndarray]]:
    return lambda keys: {key: embeddings[key] for key in keys if key in embeddings}


def _schema(made_by: MadeBy) -> pa.Schema:
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


def _table(rows: list[_Row], schema: pa.Schema) -> pa.Table:
    values = np.zeros((len(rows), schema.types[-1].list_size), dtype=np.float32)
    for place, row in enumerate(rows):
        if row.embedding is not None:
            values[place] = row.embedding
    missing = pa.array([row.embedding is None for row in rows])
    columns = [
        [row.picture.path for row in rows],
        [row.picture.size for row in rows],
        [row.picture.mtime_ns for row in rows],
        [row.content_hash for row in rows],
        ["ok" if row.reason is None else "error" for row in rows],
        [row.reason for row in rows],
        pa.FixedSizeListArray.from_arrays(values.ravel(), type=schema.types[-1], mask=missing),
    ]
    return pa.table(columns, schema=schema)


def _open_earlier(task: Task, stack: ExitStack) -> list[pq.ParquetFile]:
    opened = []
    for file in task.earlier:
        try:
            opened.append(stack.enter_context(open_shard(Path(task.out), file)))
        except ShardError as error:
            warnings.warn(
                f"The shard {error.path!r} is corrupt ({error.reason}); its pictures are embedded "
                "again.",
                stacklevel=5,
            )
    return opened
