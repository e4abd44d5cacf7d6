"""Atomic writes: a file is complete or not there at all, whatever stops the writing."""

from __future__ import annotations

import errno
import glob
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LEFTOVER_SECONDS = 3600
"""A file that is being written has been touched within this time."""

REFUSAL = "The file could not be written ({reason}); what was there before is unchanged"

_CANNOT_WRITE = {
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"),
        *("EISDIR", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EBUSY", "EMFILE", "ENFILE", "ESTALE"),
    )
    if hasattr(errno, name)
}


@contextmanager
def atomic_write(
    folder: Path,
    name: str | Callable[[Path], str],
    unfinished: str | None = None,
    refusal: str = REFUSAL,
) -> Iterator[IO[bytes]]:
    """Open a file for writing; it gets its name once it is complete and on the disk.

    Parameters
    ----------
    folder : pathlib.Path
        Where it will be. An existing file of that name is replaced in one step.
    name : str or callable
        Its name; or what tells the name from the path of the complete file.
    unfinished : str, optional
        Prefix of its name until then. By default one is made from ``name``, and what earlier calls
        left when they were killed is removed.
    refusal : str, optional
        The error's message where the disk refuses; ``{reason}`` stands for the system's own words.

    Yields
    ------
    file object
        Binary. A library that wants a path may write to ``file.name`` instead.

    Raises
    ------
    OSError
        ``refusal``, if the file can't be written. Nothing is left of it, and what was there before
        is unchanged; this holds for any other error, too.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder), "new.txt") as file:
    ...         _ = file.write(b"all of it")
    ...     os.listdir(folder)
    ['new.txt']
    """
    if unfinished is None:
        unfinished = _prefix_for(str(name))
        _remove_leftovers(folder, unfinished)
    # Not by tempfile, whose files nobody else may read.
    temporary = folder / f"{unfinished}{uuid.uuid4().hex}"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # before it takes the old file's place: power may fail
        os.replace(temporary, folder / (name if isinstance(name, str) else name(temporary)))
        _sync(folder)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.errno in _CANNOT_WRITE:
            where = folder / name if isinstance(name, str) else folder
            reason = os.strerror(error.errno)
            raise OSError(error.errno, refusal.format(reason=reason), str(where)) from error
        raise


def _prefix_for(name: str) -> str:
    """Return a hidden prefix that still leaves room for 32 digits where ``name`` is a long one."""
    start = name.encode(errors="surrogateescape")[:200]
    return f".{start.decode(errors='ignore')}-"


def _remove_leftovers(folder: Path, prefix: str) -> None:
    for leftover in folder.glob(f"{glob.escape(prefix)}{'[0-9a-f]' * 32}"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink()


def _sync(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can be asked to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
