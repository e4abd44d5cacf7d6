"""Embed a catalogue: frame + encoder → the same frame with a column of embeddings."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from simlib.arguments import require_count
from simlib.columns import (
    column_of_rows,
    forget_pages,
    new_matrix,
    note_encoder,
    remember_encoder,
    require_column,
)
from simlib.encoders.adapted import AdaptedEncoder
from simlib.encoders.base import Encoder, as_matrix, require_encoder
from simlib.images import ImageError, decode_image, read_image_file, scale_of
from simlib.progress import progress_bar
from simlib.storage.cache import EmbeddingCache
from simlib.storage.hashing import digest_of

__all__ = ["embed"]

CHECKED = 5
"""How many cached pictures are encoded anew, spread over the first batch that the cache knows.

More than one, since changed code may treat some pictures as before.
"""

Result = TypeVar("Result")


def embed(
    image_df: pd.DataFrame,
    encoder: Encoder,
    batch_size: int = 32,
    workers: int | None = None,
    cache: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Return the frame with a column of embeddings, one for each picture.

    Pictures are read and prepared in ``workers`` threads while the network works on the batch
    before. What was computed is kept on disk (:mod:`simlib.storage.cache`) by the content of the
    picture and the encoder's recipe: a second run is instant, a changed picture is embedded again,
    and an interrupted run continues where it stopped.

    A JPEG much larger than the encoder reads (:meth:`simlib.Encoder.resizes_to`) is decoded at a
    fraction of its size, which moves its embedding a little; all others are decoded in full.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With a column ``img_path``. It is not changed.
    encoder : Encoder
        As :func:`simlib.load_encoder` returns it.
    batch_size : int
        How many pictures enter the network together.
    workers : int, optional
        Threads that read pictures; by default one for each core that this process may use, at
        most 8. No more files than workers are open at any time.
    cache : bool
        Whether to use the cache. Flattened pixels are never cached: reading the picture again is
        as quick.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        A new frame, index and rows as before, with the column ``encoder.column`` (each cell a
        read-only float32 array ``(dim,)``). A picture that can't be read keeps its row: its cell is
        None, the column ``error`` says why, and a warning counts them. That column is there only
        where a picture failed.
        ``.attrs["simlib_encoders"]`` notes the encoder's name and recipe.

    Raises
    ------
    KeyError
        If the frame has no column ``img_path``.
    TypeError
        If ``encoder`` is not an encoder.
    ValueError
        If ``batch_size`` or ``workers`` is not a whole number from 1 on, if the pictures' sizes
        differ and the encoder needs equal ones, or if the frame has a column ``error`` of its own.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(3)
    >>> encoder = simlib.load_encoder("pixels", size=(8, 8))
    >>> image_df = embed(image_df, encoder, progress=False)
    >>> image_df["flattened_pixels"].iloc[0].shape
    (192,)
    """
    embedded = embed_silently(image_df, encoder, batch_size, workers, cache, progress)
    if "error" in embedded:
        failed = int(embedded["error"].notna().sum())
        warnings.warn(
            f"{failed:,} of {len(embedded):,} pictures could not be read; see the column 'error'.",
            stacklevel=2,
        )
    return embedded


def embed_silently(
    image_df: pd.DataFrame,
    encoder: Encoder,
    batch_size: int = 32,
    workers: int | None = None,
    cache: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Do what :func:`embed` does, but without its warning of pictures that can't be read."""
    from joblib import cpu_count

    require_column(image_df, "img_path")
    _require_no_other_errors(image_df)
    require_encoder(encoder)
    workers = min(8, cpu_count()) if workers is None else workers
    require_count("batch_size", batch_size)
    require_count("workers", workers)
    job = EmbeddingJob(image_df["img_path"].tolist(), encoder, workers)
    with progress_bar(encoder.column, " pictures", len(image_df), progress) as bar:
        job.run(batch_size, cache, bar.update)
    return job.frame(image_df)


def _require_no_other_errors(image_df: pd.DataFrame) -> None:
    """Raise a ValueError if a column that embed would overwrite is not by an earlier embed."""
    if "error" in image_df.columns:
        for value in image_df["error"].dropna():
            if not (isinstance(value, str) and value.startswith("The picture ")):
                raise ValueError(
                    f"The frame has a column 'error' of its own (with {value!r}), which is where "
                    "embed says why a picture can't be read. Rename it first: "
                    "image_df.rename(columns={'error': 'other'})."
                )


class _Read(NamedTuple):
    """What a worker made of one picture: its prepared array, or the reason why there is none."""

    digest: bytes | None = None
    key: bytes | None = None  # in the cache
    prepared: np.ndarray | None = None
    error: ImageError | None = None


class EmbeddingJob:
    """The embeddings of some pictures while they are being computed; no row ever moves.

    Attributes
    ----------
    matrix : numpy.ndarray or None
        float32 ``(n, dim)``; None while no picture has an embedding.
    present : numpy.ndarray
        bool ``(n,)``, which rows of the matrix are there.
    digests : list of bytes or None
        The SHA-256 of each file, of the very bytes that were embedded; None where it could not be
        read.
    errors : numpy.ndarray
        object ``(n,)``: an ImageError for each picture that failed, None for the others.
    encoded : int
        How many embeddings were computed; the others were known.
    """

    def __init__(self, paths: list, encoder: Encoder, workers: int) -> None:
        self.paths = paths
        self.encoder = encoder
        self.workers = workers
        self.matrix: np.ndarray | None = None  # (len(paths), dim), made when dim is known
        self.present = np.zeros(len(paths), dtype=bool)
        self.digests: list[bytes | None] = [None] * len(paths)
        self.encoded = 0
        self.errors = np.full(len(paths), None, dtype=object)

    def run(self, batch_size: int, cache: bool, tick: Callable[[int], object]) -> None:
        """Embed all pictures; ``tick`` is told how many more are done."""
        if isinstance(self.encoder, AdaptedEncoder) and not self.present.any():
            self._project(self.encoder, batch_size, cache, tick)
            return
        store = None
        if cache and self.encoder.cacheable and self.encoder.recipe:
            store = EmbeddingCache(self.encoder.recipe)
        try:
            if store is not None and not store.is_empty():
                self.take_from(store.get, tick)
            self._encode_rest(store, batch_size, tick)
        finally:
            if store is not None:
                store.close()

    def _project(
        self, encoder: AdaptedEncoder, batch_size: int, cache: bool, tick: Callable[[int], object]
    ) -> None:
        """Embed with what the encoder is based on, whose cache may know all, and project that."""
        job = EmbeddingJob(self.paths, encoder.base, self.workers)
        job.run(batch_size, cache, tick)
        self.digests, self.errors, self.encoded = job.digests, job.errors, job.encoded
        if job.matrix is not None:
            positions = np.flatnonzero(job.present)
            for start in range(0, len(positions), 4096):
                some = positions[start : start + 4096]
                self._put(some.tolist(), encoder.project(job.matrix[some]))
                forget_pages(job.matrix)

    def take_from(
        self,
        get: Callable[[list[bytes]], Mapping[bytes, np.ndarray]],
        tick: Callable[[int], object],
        by_digest: bool = False,
    ) -> None:
        """Fill in what is known by content: ``get`` returns embeddings for some keys.

        The keys are those of the cache, or the digests of the files.
        """

        def known_as(position: int) -> bytes | None:
            try:
                data = read_image_file(self.paths[position])
            except ImageError:
                return None  # _encode_rest comes across it again, and says why
            digest = self.digests[position] = digest_of(data)
            return digest if by_digest else self._key(data, digest)

        rest = np.flatnonzero(~self.present).tolist()
        with closing(_in_order(known_as, rest, self.workers, 256)) as keys:
            for batch in _batches(keys, 256):
                found = get([key for _, key in batch if key is not None])
                hits = [(position, found[key]) for position, key in batch if key in found]
                if hits:
                    positions, rows = zip(*hits, strict=True)
                    if self.matrix is None and self.encoder.checks_cache:
                        for place in range(0, len(hits), -(-len(hits) // CHECKED)):
                            self._require_same(positions[place], rows[place])
                    self._put(positions, np.stack(rows))
                    tick(len(hits))

    def _key(self, data: bytes, digest: bytes) -> bytes:
        """Return the key in the cache: another one than the digest where a JPEG is scaled."""
        scale = scale_of(data, self.encoder.resizes_to)
        return digest if scale == 1 else digest_of(digest + b" decoded at 1/%d" % scale)

    def _require_same(self, position: int, cached: np.ndarray) -> None:
        """Raise a ValueError if the encoder no longer gives what is cached under its recipe."""
        encoder, path = self.encoder, self.paths[position]
        prepared = encoder.prepare(
            decode_image(read_image_file(path), path, resizes_to=encoder.resizes_to)
        )
        (anew,) = as_matrix(encoder.encode_prepared(encoder.stack([prepared])), 1, encoder)
        # Processors and batch sizes change the last digits, other weights or code much more.
        if anew.shape != cached.shape or not np.allclose(
            anew, cached, rtol=1e-2, atol=1e-2 * float(np.abs(cached).max()), equal_nan=True
        ):
            raise ValueError(
                f"Under the recipe {encoder.recipe!r} the cache holds other embeddings than the "
                f"encoder {encoder.name!r} gives now (compared on {path!r}). Give what has changed "
                "a recipe of its own, or pass cache=False."
            )

    def _encode_rest(
        self, store: EmbeddingCache | None, batch_size: int, tick: Callable[[int], object]
    ) -> None:
        """Read and encode the pictures that are still without an embedding."""

        def read(position: int) -> _Read:
            path, digest = self.paths[position], None
            try:
                data = read_image_file(path)
                digest = digest_of(data)
                key = None if store is None else self._key(data, digest)
                picture = decode_image(data, path, resizes_to=self.encoder.resizes_to)
                return _Read(digest, key, self.encoder.prepare(picture))
            except ImageError as error:
                # A new one, whose traceback does not keep the file's bytes.
                return _Read(digest, error=ImageError(error.path, error.reason))

        def finish(positions: list[int], keys: list[bytes], encoding: Future) -> None:
            embeddings = as_matrix(encoding.result(), len(positions), self.encoder)
            self._put(positions, embeddings)
            self.encoded += len(positions)
            if store is not None:
                store.put(keys, embeddings)
            tick(len(positions))

        rest = np.flatnonzero(~self.present).tolist()
        ahead = 2 * batch_size + self.workers
        first = None  # all batches must fit together, not only the pictures of one
        last = None  # the network has its next batch before the last one is put away
        with (
            closing(_in_order(read, rest, self.workers, ahead)) as results,
            ThreadPoolExecutor(1, thread_name_prefix="simlib-network") as network,
        ):
            for batch in _batches(self._readable(results, tick), batch_size):
                prepared = [result.prepared for _, result in batch]
                first = prepared[0] if first is None else first
                stacked = self.encoder.stack(prepared, first)
                encoding = network.submit(self.encoder.encode_prepared, stacked)
                if last is not None:
                    finish(*last)
                positions = [position for position, _ in batch]
                last = positions, [result.key for _, result in batch], encoding
            if last is not None:
                finish(*last)

    def _readable(
        self, results: Iterable[tuple[int, _Read]], tick: Callable[[int], object]
    ) -> Iterator[tuple[int, _Read]]:
        """Pass on what could be read, note what could not."""
        for position, result in results:
            self.digests[position] = result.digest
            if result.error is None:
                yield position, result
            else:
                self.errors[position] = result.error
                tick(1)

    def _put(self, positions: Sequence[int], embeddings: np.ndarray) -> None:
        if self.matrix is None:
            self.matrix = new_matrix(len(self.paths), embeddings.shape[1])
        places = np.array(positions)
        self.matrix[places] = embeddings
        self.present[places] = True
        forget_pages(self.matrix)

    def frame(self, image_df: pd.DataFrame) -> pd.DataFrame:
        """Return a copy of the frame with the embeddings and, where there are any, the errors."""
        matrix = self.matrix
        if matrix is None:  # not one picture could be read
            matrix = np.empty((len(self.paths), 0), dtype=np.float32)
        column = column_of_rows(matrix, self.present, image_df.index)
        embedded = image_df.assign(**{self.encoder.column: column})
        remember_encoder(matrix, self.encoder)
        note_encoder(embedded, self.encoder)
        messages = [error and str(error) for error in self.errors]
        errors = pd.Series(messages, index=image_df.index, dtype=object)
        if errors.notna().any():
            embedded["error"] = errors
        elif "error" in embedded:
            embedded = embedded.drop(columns="error")
        return embedded


def _in_order(
    function: Callable[[int], Result], positions: Sequence[int], workers: int, ahead: int
) -> Generator[tuple[int, Result]]:
    """Yield ``(position, function(position))`` in order, at most ``ahead`` computed in advance.

    Close it when done with it early: an exception's traceback would keep its threads alive.
    """
    remaining = iter(positions)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="simlib-read")
    try:
        waiting = deque(
            (position, executor.submit(function, position)) for position in islice(remaining, ahead)
        )
        while waiting:
            position, future = waiting.popleft()
            yield position, future.result()
            for following in islice(remaining, 1):
                waiting.append((following, executor.submit(function, following)))
    finally:
        executor.shutdown(cancel_futures=True)


def _batches(items: Iterable, size: int) -> Iterator[list]:
    """Yield lists of ``size`` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
