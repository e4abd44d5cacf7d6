"""Embed a folder of any size into Parquet shards; stopped at any moment, it continues where it was.

    folder → sorted listing → tasks (the pictures of one shard each) → shards → the list of shards

Which pictures share a shard follows from their paths alone: a shard ends where the hash of the next
path says so (content-defined chunking, as in LBFS, https://doi.org/10.1145/502034.502052). So a new
picture changes one or two shards and not all behind it, and what lies in ``out`` in the end is a
function of the folder and the encoder, whatever happened on the way. The shards are the only
memory: one that has to be made again takes from earlier ones all that has not changed.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from simlib.arguments import require_count
from simlib.columns import ENCODERS, column_of_rows, forget_pages, new_matrix
from simlib.encoders import load_encoder
from simlib.encoders.base import Encoder
from simlib.images import ImageError
from simlib.listing import Picture, list_pictures
from simlib.progress import progress_bar
from simlib.shards.files import (
    FORMAT,
    UNFINISHED,
    MadeBy,
    Manifest,
    Shard,
    ShardError,
    check_content,
    columns_of,
    describe,
    describe_encoder,
    finished_manifest,
    is_shard,
    locked,
    open_shard,
)
from simlib.shards.make import Task, make_shard
from simlib.storage.parquet import matrix_of

MakesEncoder = Callable[[], Encoder]
Tick = Callable[[int], object]
"""Is told how many more pictures are done."""


@dataclass(frozen=True)
class Summary:
    """What a run of :func:`embed_folder` did.

    Attributes
    ----------
    pictures : int
        The rows that are in the shards now: ``embedded + reused + failed``.
    embedded : int
        Embeddings that this run computed.
    reused : int
        Embeddings that were known: from an earlier run, or from the cache.
    failed : int
        Pictures without an embedding; their rows say why.
    removed : int
        Pictures that the shards held before and the folder no longer holds.
    shards : int
        The files they are in.
    unreadable_folders : tuple of str
        Folders that could not be listed. What the shards held of them is kept.
    """

    pictures: int
    embedded: int
    reused: int
    failed: int
    removed: int
    shards: int
    unreadable_folders: tuple[str, ...] = ()


def embed_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    encoder: Encoder | str | MakesEncoder,
    shard_size: int = 10_000,
    *,
    engine: str = "local",
    batch_size: int = 32,
    workers: int | None = None,
    cache: bool = False,
    retry_failed: bool = False,
    verify: bool = False,
    progress: bool = True,
    address: str | None = None,
    ray_options: dict | None = None,
) -> Summary:
    """Embed every picture below a folder into Parquet shards, doing only what is missing.

    Shards are written atomically. After a kill the same call continues, and ends in the same files,
    byte for byte. After pictures were changed, added or removed, it makes only the shards that hold
    them again. Memory does not grow with the number of pictures.

    Parameters
    ----------
    folder : str or path
        Every picture below it is embedded, as :func:`simlib.load_catalogue` would list them.
    out : str or path
        The folder of the shards; made where missing. One process at a time may write to it.
    encoder : Encoder, str or function
        An encoder, the name of one, or a function without arguments that makes one. For Ray a name
        or a function, since every worker makes its own:
        ``functools.partial(simlib.load_encoder, "towhee", weights="published")``.
    shard_size : int
        The most pictures in one shard; most shards hold between half of it and all of it.
    engine : str
        ``"local"``: this process. ``"ray"``: the workers of Ray (https://docs.ray.io), on this
        machine or a cluster, which must see ``folder`` and ``out`` under the same paths.
    batch_size, workers
        As for :func:`simlib.embed`.
    cache : bool
        Whether to use the cache of :func:`simlib.embed` as well. The shards remember their
        embeddings themselves, so without it a kill costs one unfinished shard (with Ray, one a
        worker). With it, batches may be composed differently after a kill, so embeddings may differ
        in their last digits.
    retry_failed : bool
        Whether pictures that failed are tried again, though their files have not changed. (Those
        that could not even be read are tried again by every run.)
    verify : bool
        Whether to check the content of every finished shard, and make corrupt ones again.
    progress : bool
        Whether to show a progress bar.
    address : str, optional
        The Ray cluster's, or ``"auto"`` for the one that this machine belongs to. By default Ray is
        started on this machine, unless it runs already.
    ray_options : dict, optional
        What one shard's task needs, such as ``{"num_cpus": 4, "num_gpus": 1}``; one CPU by default.

    Returns
    -------
    Summary
        What was embedded, reused, removed, and what failed.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder cannot be read or holds no picture. Existing shards stay as they are.
    ValueError
        If ``out`` holds the shards of another folder or encoder, or an argument is invalid.
    RuntimeError
        If another process is writing to ``out``.
    OSError
        If a shard cannot be written, as on a full disk. Nothing is left half-written; the same
        call continues once there is room.
    ImportError
        If ``engine="ray"`` and Ray is not installed; the message holds the command that does it.

    Notes
    -----
    A picture whose path, size and modification time (in nanoseconds) are as before is trusted to be
    unchanged and not read. Any other is read; if the earlier shards near by know
    its content (SHA-256), as of one that was touched or renamed, their embedding is kept. A shard
    whose footer can be read is trusted to be intact, unless ``verify`` is set; reading a shard
    always checks it. If a folder cannot be listed, its pictures are assumed to be as they were.

    Examples
    --------
    >>> import tempfile
    >>> import simlib
    >>> from simlib.catalogue import SAMPLE_FOLDER
    >>> out = tempfile.TemporaryDirectory()
    >>> encoder = simlib.load_encoder("pixels", size=(4, 4))
    >>> summary = embed_folder(SAMPLE_FOLDER / "red", out.name, encoder, progress=False)
    >>> summary.embedded, summary.reused, summary.failed
    (96, 0, 0)
    >>> embed_folder(SAMPLE_FOLDER / "red", out.name, encoder, progress=False).reused
    96
    >>> next(iterate_shards(out.name))["flattened_pixels"].iloc[0].shape
    (48,)
    >>> out.cleanup()
    """
    require_count("shard_size", shard_size)
    require_count("batch_size", batch_size)
    if workers is not None:
        require_count("workers", workers)
    if engine not in ("local", "ray"):
        raise ValueError(f"engine={engine!r} is unknown; choose 'local' or 'ray'.")
    folder, out = Path(folder).expanduser().absolute(), Path(out).expanduser().absolute()
    runner: Engine
    if engine == "ray":
        from simlib.shards.ray import RayEngine

        runner = RayEngine(encoder, address, ray_options)
    else:
        runner = LocalEngine(encoder)
    with locked(out), runner:
        made_by, text_recipe = runner.describe()
        start = Task(
            str(folder), str(out), batch_size, workers, cache, retry_failed, made_by, "", [], []
        )
        job = _Job(start, verify, text_recipe)
        with progress_bar(made_by.column, " pictures", show=progress) as bar:
            for shard, embedded in runner.run(job.tasks(shard_size, bar.update), bar.update):
                job.live.append(shard)
                job.embedded += embedded
        return job.finish()


def iterate_shards(
    out: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Yield what :func:`embed_folder` wrote, one frame a shard, in the order of the paths.

    Parameters
    ----------
    out : str or path
        The folder of the shards.
    folder : str or path, optional
        Where the pictures lie now; by default where they were embedded.

    Yields
    ------
    pandas.DataFrame
        ``img_path`` (str, absolute), ``content_hash`` (SHA-256 as 64 hexadecimal digits, None if
        the file could not be read), ``status`` (``"ok"`` or ``"error"``), ``error`` (None, or why
        the picture failed) and the column of the encoder: read-only float32 arrays ``(dim,)``, None
        where the picture failed. The index continues from frame to frame.

    Raises
    ------
    FileNotFoundError
        If there are no shards in ``out``.
    ValueError
        If they are not complete yet.
    ShardError
        If a shard is corrupt, or missing, as when :func:`embed_folder` replaced it meanwhile.

    Examples
    --------
    See :func:`embed_folder`.

    >>> list(iterate_shards("no such folder"))
    Traceback (most recent call last):
    FileNotFoundError: There are no shards in 'no such folder'. Make them first: simlib.embed_folder
    """
    yield from _frames(finished_manifest(Path(out)), Path(out), folder)


def _frames(
    manifest: Manifest, out: Path, folder: str | os.PathLike[str] | None
) -> Iterator[pd.DataFrame]:
    column, start = manifest.column, 0
    for file in manifest.shards:
        with open_shard(out, file) as opened:
            paths, _, _, content_hash, status, reason = columns_of(opened)
            matrix = new_matrix(len(paths), manifest.dim)
            present = np.zeros(len(paths), dtype=bool)
            done = 0
            for group in range(opened.num_row_groups):
                part, there = matrix_of(opened.read_row_group(group, columns=[column]).column(0))
                matrix[done : done + len(part)], present[done : done + len(part)] = part, there
                done += len(part)
                forget_pages(matrix)
        paths = [os.path.join(manifest.root(folder), *path.split("/")) for path in paths]
        error = [w and str(ImageError(path, w)) for path, w in zip(paths, reason, strict=True)]
        frame = pd.DataFrame(
            {"img_path": paths, "content_hash": content_hash, "status": status, "error": error},
            index=pd.RangeIndex(start, start + len(paths)),
            dtype=object,
        )
        yield frame.assign(**{column: column_of_rows(matrix, present, frame.index)})
        start += len(paths)


def load_shards(
    out: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Return what :func:`embed_folder` wrote as one frame, ready for search and plots.

    Its embeddings lie in memory, or in a temporary file where there are many; the other columns
    take about 300 bytes a picture.

    Parameters
    ----------
    out, folder
        As for :func:`iterate_shards`.

    Returns
    -------
    pandas.DataFrame
        The frames of :func:`iterate_shards`, one below the other.
        ``.attrs["simlib_encoders"]`` notes the encoder's name and recipe, as after
        :func:`simlib.embed`, so that :func:`simlib.nearest` knows which model reads texts for it.

    Raises
    ------
    FileNotFoundError, ValueError, ShardError
        As :func:`iterate_shards` does.

    Examples
    --------
    >>> import tempfile
    >>> from simlib.catalogue import SAMPLE_FOLDER
    >>> out = tempfile.TemporaryDirectory()
    >>> encoder = load_encoder("pixels", size=(4, 4))
    >>> _ = embed_folder(SAMPLE_FOLDER / "red", out.name, encoder, progress=False)
    >>> frame = load_shards(out.name)
    >>> list(frame), len(frame)
    (['img_path', 'content_hash', 'status', 'error', 'flattened_pixels'], 96)
    >>> out.cleanup()
    """
    manifest = finished_manifest(Path(out))
    matrix = new_matrix(manifest.pictures, manifest.dim)
    present = np.zeros(manifest.pictures, dtype=bool)
    frames = []
    for frame in _frames(manifest, Path(out), folder):
        cells = frame.pop(manifest.column).dropna()
        for place, cell in zip(cells.index.to_numpy(), cells, strict=True):
            matrix[place], present[place] = cell, True
        forget_pages(matrix)
        frames.append(frame)
    frame = pd.concat(frames)
    frame[manifest.column] = column_of_rows(matrix, present, frame.index)
    made_by = {"name": manifest.encoder, "recipe": manifest.recipe}
    if manifest.text_recipe:
        made_by["text_recipe"] = manifest.text_recipe
    frame.attrs[ENCODERS] = {manifest.column: made_by}
    return frame


class Engine(Protocol):
    """Where shards are made: in this process, or by the workers of Ray."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...

    def describe(self) -> tuple[MadeBy, str]:
        """Return what made the shards, and the recipe of what reads texts for them.

        The latter is no part of the former: another reader of texts finds the same pictures.
        """

    def run(self, tasks: Iterable[Task], tick: Tick) -> Iterator[tuple[Shard, int]]:
        """Yield shards, in any order, each with how many embeddings were computed for it."""


class LocalEngine:
    """Makes the shards in this process, one after the other."""

    def __init__(self, encoder: Encoder | str | MakesEncoder) -> None:
        if isinstance(encoder, str):
            encoder = load_encoder(encoder)
        elif callable(encoder) and not isinstance(encoder, Encoder):
            encoder = encoder()
        self._described, self._encoder = describe_encoder(encoder), encoder

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def describe(self) -> tuple[MadeBy, str]:
        return self._described

    def run(self, tasks: Iterable[Task], tick: Tick) -> Iterator[tuple[Shard, int]]:
        for task in tasks:
            yield make_shard(task, self._encoder, tick)


class _Job:
    """One run: compares the folder with the shards, hands out tasks, and replaces the list."""

    def __init__(self, task: Task, verify: bool, text_recipe: str) -> None:
        self.task, self.text_recipe = task, text_recipe  # a task without pictures yet
        self.out, made_by = Path(task.out), task.made_by
        self.live: list[Shard] = []
        self.embedded = 0
        self.holes: list[str] = []
        self._remove_unfinished()
        before = Manifest.read(self.out) or Manifest(task.folder, *made_by, 0, [], False)
        if before.folder != task.folder and os.path.isdir(before.folder):
            raise ValueError(
                f"{task.out!r} holds the embeddings of {before.folder!r}, not of "
                f"{task.folder!r}. Choose another folder for these."
            )
        self.found = self._find_shards(verify)
        files = set(before.shards)
        self.listed = [shard for shard in self.found if shard.file in files]
        # Written first, so that what a killed run leaves behind says whose it is.
        noted = {**made_by._asdict(), "text_recipe": text_recipe}
        now = before._replace(folder=task.folder, **noted)
        if not before.finished or now != before:
            now.write(self.out)

    def _remove_unfinished(self) -> None:
        """Remove what processes that were killed have left."""
        for leftover in self.out.glob(f"{UNFINISHED}*"):
            leftover.unlink(missing_ok=True)

    def _files(self) -> list[str]:
        return [file for file in os.listdir(self.out) if is_shard(file)]

    def _find_shards(self, verify: bool) -> list[Shard]:
        """The shards in ``out`` that are not corrupt, listed or not, by their first path."""
        found = []
        for file in self._files():
            try:
                if verify:
                    check_content(self.out, file)
                shard = describe(self.out, file)
            except ShardError as error:
                warnings.warn(
                    f"The shard {error.path!r} is corrupt ({error.reason}); it is made again.",
                    stacklevel=4,
                )
                continue
            self.task.made_by.refuse_other(shard.made_by, self.out)
            found.append(shard)
        return sorted(found, key=lambda shard: (shard.first, -shard.failed, shard.file))

    def tasks(self, shard_size: int, tick: Tick) -> Iterator[Task]:
        """Yield what has to be made; note what is there."""
        # Of two with the same plan, as when retry_failed was killed, that with fewer failures.
        by_plan = {shard.plan: shard for shard in self.found}
        for pictures in _cut(self._listing(), shard_size):
            plan = _plan_of(pictures, self.task.made_by)
            shard = by_plan.get(plan)
            if shard and not (shard.unread or (shard.failed and self.task.retry_failed)):
                self.live.append(shard)
                tick(len(pictures))
                continue
            first, last = pictures[0].path, pictures[-1].path
            earlier = [s.file for s in self.found if s.first <= last and s.last >= first]
            yield replace(self.task, plan=plan, pictures=pictures, earlier=earlier)

    def _listing(self) -> Iterator[Picture]:
        """The pictures; below a folder that cannot be listed, those that were there before."""
        for item in list_pictures(self.task.folder):
            if isinstance(item, Picture):
                yield item
                continue
            self.holes.append(item.path)
            if len(self.holes) <= 10:
                warnings.warn(
                    f"The folder {item.path!r} below {self.task.folder!r} cannot be listed "
                    f"({item.reason}). What the shards hold of it is kept.",
                    stacklevel=6,
                )
            for shard in self.listed:
                if shard.first < item.path + chr(0x10FFFF) and shard.last >= item.path:
                    rows = self._rows(shard)
                    yield from (Picture(*row) for row in rows if row[0].startswith(item.path))

    def _rows(self, shard: Shard) -> Iterator[tuple[str, int, int]]:
        """Path, size and time of the pictures in a shard; none if it turns out to be corrupt."""
        with suppress(ShardError), open_shard(self.out, shard.file) as opened:
            return zip(*columns_of(opened)[:3], strict=True)
        return iter(())

    def finish(self) -> Summary:
        """Replace the list of shards, then remove those that are no longer on it."""
        if not self.live:
            kept = f" The shards in {self.task.out!r} were left as they are." if self.found else ""
            raise FileNotFoundError(
                f"Neither {self.task.folder!r} nor a folder below it holds a picture.{kept}"
            )
        self.live.sort(key=lambda shard: shard.first)
        pictures = sum(shard.pictures for shard in self.live)
        failed = sum(shard.failed for shard in self.live)
        files = [shard.file for shard in self.live]
        all_of_it = pictures, files, True, self.text_recipe
        Manifest(self.task.folder, *self.task.made_by, *all_of_it).write(self.out)
        removed = self._count_removed()
        for file in set(self._files()).difference(files):
            with suppress(PermissionError):  # Windows, while it is being read: the next run will
                (self.out / file).unlink(missing_ok=True)
        self._remove_unfinished()  # a worker of Ray may have been killed and replaced
        return Summary(
            pictures=pictures,
            embedded=self.embedded,
            reused=pictures - self.embedded - failed,
            failed=failed,
            removed=removed,
            shards=len(files),
            unreadable_folders=tuple(self.holes),
        )

    def _count_removed(self) -> int:
        """The pictures of replaced shards that are in none of the new ones; both are sorted."""
        live, listed = set(self.live), set(self.listed)
        gone = ((row[0], False) for s in self.listed if s not in live for row in self._rows(s))
        new = ((row[0], True) for s in self.live if s not in listed for row in self._rows(s))
        paths = groupby(heapq.merge(gone, new), key=itemgetter(0))
        return sum(not any(is_new for _, is_new in rows) for _, rows in paths)


def _cut(pictures: Iterable[Picture], shard_size: int) -> Iterator[list[Picture]]:
    """Group sorted pictures; where a group ends depends on nothing but the paths near by."""
    least = max(1, shard_size // 2)
    # On average a quarter of the way from the least to the most: only 2 in 100 reach the most.
    limit = min(2**64, 2**64 * 4 // max(1, shard_size - least))
    group: list[Picture] = []
    for picture in pictures:
        if len(group) >= shard_size or (len(group) >= least and _hash(picture.path) < limit):
            yield group
            group = []
        group.append(picture)
    if group:
        yield group


def _hash(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest())


def _plan_of(pictures: list[Picture], made_by: MadeBy) -> str:
    """The hash of all that a shard is made from."""
    plan = hashlib.sha256(json.dumps([FORMAT, *made_by]).encode())
    for picture in pictures:
        plan.update(f"{picture.path}\0{picture.size}\0{picture.mtime_ns}\n".encode())
    return plan.hexdigest()[:16]
