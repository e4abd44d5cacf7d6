"""Embed a folder of any size into Parquet shards; stopped at any moment, it goes on where it was.

    folder → sorted listing → tasks (the pictures of one shard each) → shards → the list of shards

Which pictures share a shard follows from their paths alone: a shard ends where the hash of the next
path says so (content-defined chunking, as in LBFS, https://doi.org/10.1145/502034.502052). So a new
picture changes one shard or two and not all behind it, and what lies in ``out`` in the end is a
function of the folder and the encoder, whatever happened on the way.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from simlib.arguments import require_count
from simlib.columns import column_of_rows, new_matrix
from simlib.encoders import load_encoder
from simlib.encoders.base import Encoder
from simlib.images import ImageError, read_image_file
from simlib.listing import Hole, Picture, list_pictures
from simlib.progress import progress_bar
from simlib.shards.files import (
    FORMAT,
    UNFINISHED,
    Entry,
    MadeBy,
    Manifest,
    ShardError,
    check_content,
    describe,
    fill_from,
    finished_manifest,
    is_shard,
    locked,
    open_shard,
    plain_frame,
    read_rows,
)
from simlib.shards.make import Known, Settings, Task, make_shard

MakesEncoder = Callable[[], Encoder]


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
        Embeddings that were there from an earlier run.
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

    Each shard is written whole or not at all. A run that was killed is continued by the same call,
    and gives the same files to the byte; a call after pictures were changed, added or removed
    mends the shards that hold them. Memory does not grow with the number of pictures.

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
        Whether :func:`simlib.embed` uses its cache as well. The shards are a cache themselves; with
        another one, batches may be made up differently after a break, and embeddings may then
        differ in their last digits.
    retry_failed : bool
        Whether pictures that failed are tried again, though their files have not changed. (Those
        that could not even be read are tried again by every run.)
    verify : bool
        Whether every finished shard is read and held against its checksum, and made anew if it is
        damaged.
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
        If the folder can't be read or holds no picture. Shards that are there stay as they are.
    ValueError
        If ``out`` holds the shards of another folder or encoder, or an argument makes no sense.
    RuntimeError
        If another process is writing to ``out``.
    OSError
        If a shard can't be written, as on a full disk. Nothing is left half-written; the same call
        goes on once there is room.
    ImportError
        If ``engine="ray"`` and Ray is not installed; the message holds the command that does it.

    Notes
    -----
    What is trusted: a picture whose path, size and time of change (in nanoseconds) are as before is
    taken to be unchanged and not read. One whose size or time differs is read; if its content
    (SHA-256) is as before, its embedding is kept. A shard whose name and length are as listed is
    taken to be whole, unless ``verify`` is set; reading a shard always checks it. If a folder can't
    be listed, its pictures are taken to be as they were.

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
    if engine not in ("local", "ray"):
        raise ValueError(f"engine={engine!r} is unknown; choose 'local' or 'ray'.")
    folder, out = Path(folder).expanduser().absolute(), Path(out).expanduser().absolute()
    settings = Settings(str(folder), str(out), batch_size, workers, cache, retry_failed)
    if engine == "ray":
        from simlib.shards.ray import RayEngine

        runner = RayEngine(encoder, address, ray_options)
    else:
        runner = LocalEngine(encoder)
    with locked(out), runner:
        job = _Job(settings, runner.made_by(), verify)
        with progress_bar(runner.made_by().column, " pictures", show=progress) as bar:
            for entry, embedded in runner.run(job.tasks(shard_size, bar.update), bar.update):
                job.note(entry, embedded)
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
        the file could not be read), ``status`` (``"ok"`` or ``"error"``), ``error`` (None, or a
        sentence) and the column of the encoder: read-only float32 arrays ``(dim,)``, None where
        the picture failed. The index counts on from frame to frame.

    Raises
    ------
    FileNotFoundError
        If there are no shards in ``out``.
    ValueError
        If they are not complete yet.
    ShardError
        If a shard is damaged, or missing, as when :func:`embed_folder` replaced it meanwhile.

    Examples
    --------
    See :func:`embed_folder`.

    >>> list(iterate_shards("no such folder"))
    Traceback (most recent call last):
    FileNotFoundError: There are no shards in 'no such folder'. Make them first: simlib.embed_folder
    """
    manifest = finished_manifest(Path(out))
    start = 0
    for entry in manifest.shards:
        with open_shard(Path(out), entry.file) as opened:
            frame = plain_frame(opened, manifest.root(folder), start)
            matrix = new_matrix(len(frame), manifest.dim)
            present = np.zeros(len(frame), dtype=bool)
            fill_from(opened, manifest.column, matrix, present, 0)
        yield frame.assign(**{manifest.column: column_of_rows(matrix, present, frame.index)})
        start += len(frame)


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
    frames, start = [], 0
    for entry in manifest.shards:
        with open_shard(Path(out), entry.file) as opened:
            frames.append(plain_frame(opened, manifest.root(folder), start))
            fill_from(opened, manifest.column, matrix, present, start)
        start += len(frames[-1])
    frame = pd.concat(frames)
    frame[manifest.column] = column_of_rows(matrix, present, frame.index)
    return frame


def make_encoder(encoder: Encoder | str | MakesEncoder) -> Encoder:
    """Return the encoder that is meant by an encoder, a name or a function."""
    if isinstance(encoder, str):
        return load_encoder(encoder)
    if callable(encoder) and not isinstance(encoder, Encoder):
        return encoder()
    return encoder


class LocalEngine:
    """Makes the shards in this process, one after the other."""

    def __init__(self, encoder: Encoder | str | MakesEncoder) -> None:
        self.encoder = make_encoder(encoder)
        self._made_by = MadeBy.of(self.encoder)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_) -> None:
        pass

    def made_by(self) -> MadeBy:
        return self._made_by

    def run(
        self, tasks: Iterable[Task], tick: Callable[[int], object]
    ) -> Iterator[tuple[Entry, int]]:
        for task in tasks:
            yield make_shard(task, self.encoder, tick)


# The plan: which pictures share a shard, and which shards are there already


class _Job:
    """One run: compares the folder with the shards, hands out tasks, and replaces the list."""

    def __init__(self, settings: Settings, made_by: MadeBy, verify: bool) -> None:
        self.settings = settings
        self.made_by = made_by
        self.out = Path(settings.out)
        self._remove_unfinished()
        self.before = Manifest.read(self.out)
        if self.before is None:
            self.before = Manifest.of(settings.folder, made_by)
        self._refuse_others()
        self.found = self._find_shards(verify)
        self.earlier = _Earlier(self.out, self.found.values())
        # Written first, so that what a killed run leaves behind says whose it is.
        if not self.before.finished or self.before.folder != settings.folder:
            self.before.folder = settings.folder
            self.before.write(self.out)
        self.listed = {e.file: e for e in self.before.shards if e.plan in self.found}
        self.listed_plans = {entry.plan for entry in self.listed.values()}
        self.live: list[Entry] = []
        self.embedded = 0
        self.kept = 0  # pictures that moved from one plan to another
        self.holes: list[str] = []

    def _remove_unfinished(self) -> None:
        """Remove what processes that were killed have left."""
        for leftover in self.out.glob(f"{UNFINISHED}*"):
            leftover.unlink(missing_ok=True)

    def _refuse_others(self) -> None:
        before = self.before
        self.made_by.refuse_other(before.made_by, self.out)
        moved = before.folder != self.settings.folder
        if moved and os.path.isdir(before.folder):
            raise ValueError(
                f"{str(self.out)!r} holds the embeddings of {before.folder!r}, not of "
                f"{self.settings.folder!r}. Choose another folder for these."
            )

    def _find_shards(self, verify: bool) -> dict[str, Entry]:
        """The whole shards in ``out`` by their plans, listed or not; of two, the better one."""
        listed = {entry.file: entry for entry in self.before.shards}
        found: dict[str, Entry] = {}
        with os.scandir(self.out) as files:
            sizes = {file.name: file.stat().st_size for file in files if is_shard(file.name)}
        for file, size in sorted(sizes.items()):
            entry = listed.get(file)
            try:
                if verify or (entry is not None and entry.bytes != size):
                    check_content(self.out, file)
                entry = entry or describe(self.out, file, self.made_by)
            except ShardError as error:
                warnings.warn(_made_anew(error), stacklevel=5)
                continue
            other = found.get(entry.plan)
            if other is None or entry.failed < other.failed:
                found[entry.plan] = entry
        return found

    def tasks(self, shard_size: int, tick: Callable[[int], object]) -> Iterator[Task]:
        """Yield what has to be made; note what is there."""
        for pictures in _cut(self._listing(), shard_size):
            plan = _plan_of(pictures, self.made_by)
            entry = self.found.get(plan)
            if entry is not None and self._is_final(entry, pictures):
                if self.listed and plan not in self.listed_plans:
                    self._known(plan, pictures)  # from a broken run: still to be counted
                self.live.append(entry)
                tick(len(pictures))
                continue
            known = self._known(plan, pictures)
            yield Task(self.settings, self.made_by, plan, pictures, known)

    def _listing(self) -> Iterator[Picture]:
        """The pictures; below a folder that can't be listed, those that were there before."""
        for item in list_pictures(self.settings.folder):
            if isinstance(item, Hole):
                self.holes.append(item.path)
                if len(self.holes) <= 10:
                    warnings.warn(
                        f"The folder {item.path!r} below {self.settings.folder!r} can't be listed "
                        f"({item.reason}). What the shards hold of it is kept.",
                        stacklevel=6,
                    )
                yield from self._below(item.path)
            else:
                yield item

    def _below(self, prefix: str) -> Iterator[Picture]:
        for entry in self.before.shards:
            if entry.first < prefix + chr(0x10FFFF) and entry.last >= prefix:
                with suppress(ShardError):
                    rows = read_rows(self.out, entry.file)
                    for path, size, mtime_ns in zip(*rows[:3], strict=True):
                        if path.startswith(prefix):
                            yield Picture(path, size, mtime_ns)

    def _is_final(self, entry: Entry, pictures: list[Picture]) -> bool:
        """Whether nothing would come out differently if the shard were made again."""
        if not entry.failed:
            return True
        if self.settings.retry_failed:
            return False
        if not entry.unread:
            return True
        try:
            hashes = read_rows(self.out, entry.file)[3]
        except ShardError:
            return False
        for picture, content_hash in zip(pictures, hashes, strict=True):
            if content_hash is None and picture.problem is None:
                with suppress(ImageError):
                    read_image_file(os.path.join(self.settings.folder, picture.path))
                    return False
        return True

    def _known(self, plan: str, pictures: list[Picture]) -> dict[int, Known]:
        """What earlier shards say of the pictures of a plan, by position."""
        places: dict[str, int] | None = None
        known: dict[int, Known] = {}
        for entry in self.earlier.overlapping(pictures[0].path, pictures[-1].path):
            try:
                rows = self.earlier.rows(entry)
            except ShardError as error:
                warnings.warn(_made_anew(error), stacklevel=7)
                continue
            if places is None:
                places = {picture.path: place for place, picture in enumerate(pictures)}
            for row, (path, size, mtime_ns, *said) in enumerate(zip(*rows, strict=True)):
                place = places.get(path)
                if place is None:
                    continue
                self.kept += entry.file in self.listed and plan not in self.listed_plans
                same = (size, mtime_ns) == pictures[place][1:3]
                if same or place not in known:
                    known[place] = Known(entry.file, row, same, *said)
        return known

    def note(self, entry: Entry, embedded: int) -> None:
        self.live.append(entry)
        self.embedded += embedded

    def finish(self) -> Summary:
        """Replace the list of shards, then remove those that are no longer on it."""
        if not self.live:
            kept = f" The shards in {str(self.out)!r} were left as they are." if self.found else ""
            raise FileNotFoundError(
                f"Neither {self.settings.folder!r} nor a folder below it holds a picture.{kept}"
            )
        now = Manifest.of(self.settings.folder, self.made_by)
        now.shards = sorted(self.live, key=lambda entry: entry.first)
        now.finished = True
        now.write(self.out)
        live = {entry.file for entry in self.live}
        plans = {entry.plan for entry in self.live}
        gone = sum(entry.pictures for entry in self.listed.values() if entry.plan not in plans)
        with os.scandir(self.out) as files:
            stale = [file.name for file in files if is_shard(file.name) and file.name not in live]
        for file in stale:
            with suppress(PermissionError):  # Windows, while it is being read: the next run will
                (self.out / file).unlink(missing_ok=True)
        self._remove_unfinished()  # a worker of Ray may have been killed and replaced
        failed = sum(entry.failed for entry in self.live)
        return Summary(
            pictures=now.pictures,
            embedded=self.embedded,
            reused=now.pictures - self.embedded - failed,
            failed=failed,
            removed=gone - self.kept,
            shards=len(self.live),
            unreadable_folders=tuple(self.holes),
        )


class _Earlier:
    """The shards that were there when the run began, looked up in the order of the paths."""

    def __init__(self, out: Path, entries: Iterable[Entry]) -> None:
        self.out = out
        self._waiting = sorted(entries, key=lambda entry: entry.first, reverse=True)
        self._open: list[tuple[Entry, list]] = []  # rows read at most once, and only while needed

    def overlapping(self, first: str, last: str) -> list[Entry]:
        """The shards that may hold paths from ``first`` to ``last``; ask in ascending order."""
        self._open = [pair for pair in self._open if pair[0].last >= first]
        while self._waiting and self._waiting[-1].first <= last:
            entry = self._waiting.pop()
            if entry.last >= first:
                self._open.append((entry, []))
        return [entry for entry, _ in self._open if entry.first <= last]

    def rows(self, entry: Entry) -> list[list]:
        rows = next(rows for other, rows in self._open if other == entry)
        if not rows:
            rows.extend(read_rows(self.out, entry.file))
        return rows


def _made_anew(error: ShardError) -> str:
    return f"The shard {error.path!r} is damaged ({error.reason}); it is made anew."


def _cut(pictures: Iterable[Picture], shard_size: int) -> Iterator[list[Picture]]:
    """Group sorted pictures; where a group ends hangs on nothing but the paths near by."""
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
