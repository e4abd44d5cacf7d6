"""One process at a time: a lock file for whatever several notebooks may do at once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simlib.home import home_folder


@contextmanager
def exclusive(path: Path, title: str) -> Iterator[None]:
    """Let one process at a time work on ``path``; others wait, having said so.

    The lock is gone with its process, also after a kill. The folder of ``path`` is made.

    Parameters
    ----------
    path : pathlib.Path
        What is worked on; it need not exist.
    title : str
        What that is, for the message of those who wait and for errors.

    Raises
    ------
    OSError
        If nothing can be written in :func:`simlib.home.home_folder`.

    Examples
    --------
    >>> with exclusive(home_folder() / "a file", "The file"):
    ...     pass
    """
    from filelock import FileLock, Timeout

    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    lock_path = home_folder() / "locks" / f"{key}.lock"
    try:
        for folder in (lock_path.parent, path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print(f"{title}: another process is at work on it; waiting.", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise OSError(
            error.errno,
            f"{title} can't be stored in {home_folder()} ({error.strerror or error}); the "
            "environment variable SIMLIB_HOME names another folder",
        ) from error
    try:
        yield
    finally:
        lock.release()
