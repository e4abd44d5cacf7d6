"""What was embedded once is kept on disk: one SQLite file for each encoder's recipe.

SQLite writes a transaction or nothing of it, and lets several processes share a file; a row also
carries its checksum, so that a damaged one is noticed and computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from simlib.home import home_folder

# A damaged file may hold names that are not text; sqlite3 fails to decode its own complaint then.
FAILURES = (sqlite3.Error, UnicodeDecodeError)

NOT_THE_FILES_FAULT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class EmbeddingCache:
    """The embeddings of one encoder's recipe, by the SHA-256 of the picture's file.

    Where a JPEG was decoded at a fraction of its size, the key is a hash of that and the fraction.

    A cache never stops the work: a file that is damaged is set aside and replaced, one that can't
    be written (a read-only folder) is read, and where nothing can be kept (a full disk) it is done
    without, with one warning.

    Examples
    --------
    >>> import tempfile
    >>> from simlib.storage.hashing import digest_of
    >>> store = EmbeddingCache("an encoder", tempfile.mkdtemp())
    >>> store.put([digest_of(b"a picture")], np.ones((1, 3), dtype=np.float32))
    >>> store.get([digest_of(b"a picture"), digest_of(b"another")])
    {...: array([1., 1., 1.], dtype=float32)}
    >>> store.close()
    """

    def __init__(self, recipe: str, folder: str | os.PathLike | None = None) -> None:
        folder = home_folder() / "embeddings" if folder is None else Path(folder)
        self.path = folder / f"{hashlib.sha256(recipe.encode()).hexdigest()[:32]}.sqlite"
        self._recipe = recipe
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._cannot_write: Exception | None = None
        try:
            self._open()
        except (OSError, *FAILURES) as error:
            self._do_without(error)

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _connect(self.path, self._recipe)
            except FAILURES as error:
                if _is_not_the_files_fault(error):
                    raise
                self._set_aside()
                self._connection = _connect(self.path, self._recipe)
            self._inode = os.stat(self.path).st_ino
        except (OSError, *FAILURES) as error:
            if not self.path.is_file():
                raise
            self._connection = _connect(self.path, self._recipe, read_only=True)
            self._cannot_write = error  # said when there is something to write

    def _start_again(self, error: Exception) -> None:
        """Set a damaged file aside, unless another process has done so, and open a new one."""
        if _is_not_the_files_fault(error) or self._cannot_write is not None:
            raise error
        self.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                self._set_aside()
        self._open()

    def _set_aside(self) -> None:
        self.path.replace(self.path.with_suffix(".damaged"))

    def _do_without(self, error: Exception) -> None:
        self.close()
        warnings.warn(
            f"Embeddings are not kept in {self.path} ({error}). The results are right; the next "
            "run will compute them again. SIMLIB_HOME names another folder.",
            stacklevel=6,  # whoever called embed
        )

    def get(self, digests: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Return the embeddings that are there and pass their checksum, each float32 ``(dim,)``."""
        found: dict[bytes, np.ndarray] = {}
        for start in range(0, len(digests), 500):  # SQLite takes about 1,000 parameters at a time
            if self._connection is None:
                break
            part = digests[start : start + 500]
            query = (
                "SELECT digest, embedding, checksum FROM embeddings "
                f"WHERE digest IN ({','.join('?' * len(part))})"
            )
            try:
                rows = self._connection.execute(query, list(part)).fetchall()
            except FAILURES as error:
                self._recover(error)
                continue
            for digest, embedding, checksum in rows:
                if _is_sound(digest, embedding, checksum):
                    found[digest] = np.frombuffer(embedding, dtype="<f4")
        return found

    def is_empty(self) -> bool:
        """Return whether there is nothing to find here."""
        if self._connection is None:
            return True
        try:
            return self._connection.execute("SELECT 1 FROM embeddings LIMIT 1").fetchone() is None
        except FAILURES as error:
            self._recover(error)
            return True

    def put(self, digests: Sequence[bytes], embeddings: np.ndarray) -> None:
        """Keep the rows of float32 ``(n, dim)`` under their digests; all of them or none."""
        if self._connection is None:
            return
        if self._cannot_write is not None:
            self._do_without(self._cannot_write)
            return
        rows = [
            (digest, row.tobytes(), _checksum(digest, row.tobytes()))
            for digest, row in zip(digests, embeddings.astype("<f4", copy=False), strict=True)
        ]
        for is_last_try in (False, True):
            try:
                with self._connection:
                    self._connection.executemany("REPLACE INTO embeddings VALUES (?, ?, ?)", rows)
                return
            except FAILURES as error:
                if is_last_try:
                    self._do_without(error)
                else:
                    self._recover(error)
            if self._connection is None:
                return

    def _recover(self, error: Exception) -> None:
        """Go on with a new file where this one is damaged, and without one otherwise."""
        try:
            self._start_again(error)
        except (OSError, *FAILURES) as still:
            self._do_without(still)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*FAILURES):
                self._connection.close()
            self._connection = None


def _checksum(digest: bytes, embedding: bytes) -> int:
    return zlib.crc32(embedding, zlib.crc32(digest))


def _is_sound(digest: object, embedding: object, checksum: object) -> bool:
    """Return whether a row is as it was written; in a damaged one the types may be others."""
    return (
        isinstance(digest, bytes)
        and isinstance(embedding, bytes)
        and _checksum(digest, embedding) == checksum
    )


def _is_not_the_files_fault(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in NOT_THE_FILES_FAULT


def _connect(path: Path, recipe: str, read_only: bool = False) -> sqlite3.Connection:
    """Open a file, and make sure that it is one of ours.

    Its inside is not looked through, which would take long for a large one: SQLite notices at once
    that a file was cut short, and other damage when it comes across it; the checksum of each row
    does the rest.
    """
    if path.is_file():
        with open(path, "rb") as file:
            header = file.read(20)
        if header and not set(header[18:20]) <= {1, 2}:
            raise sqlite3.DatabaseError("the header is damaged")  # SQLite would call it read-only
    if read_only:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=30, uri=True)
    else:
        connection = sqlite3.connect(path, timeout=30)
    try:
        if not read_only:
            with connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS embeddings "
                    "(digest BLOB PRIMARY KEY, embedding BLOB NOT NULL, checksum INTEGER NOT NULL)"
                )
                connection.execute("CREATE TABLE IF NOT EXISTS recipe (text TEXT PRIMARY KEY)")
                connection.execute("INSERT OR IGNORE INTO recipe VALUES (?)", (recipe,))
        connection.execute("SELECT digest, embedding, checksum FROM embeddings LIMIT 0")
    except BaseException:
        connection.close()
        raise
    return connection
