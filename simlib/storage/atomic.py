"""Files that are there whole or not at all, whatever stops the writing."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_CANT_WRITE = {
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"),
        *("EISDIR", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EBUSY", "EMFILE", "ENFILE", "ESTALE"),
    )
    if hasattr(errno, name)
}


@contextmanager
def whole_file(
    folder: Path, name: str | Callable[[Path], str], unfinished: str, refusal: str
) -> Iterator[IO[bytes]]:
    """Open a file to write, which gets its name when it is complete and on the disk.

    Parameters
    ----------
    folder : pathlib.Path
        Where it will be. An existing file of that name is replaced in one step.
    name : str or callable
        Its name; or what tells the name from the path of the complete file.
    unfinished : str
        Begins its name until then, so that what a killed process leaves can be told and removed.
    refusal : str
        What to say where the disk refuses; ``{reason}`` stands for the system's own words.

    Raises
    ------
    OSError
        ``refusal``, if the file can't be written. Nothing is left of it, and what was there before
        is there still; this holds for any other error, too.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder), "new.txt", ".unfinished-", "No: {reason}") as file:
    ...         _ = file.write(b"all of it")
    ...     os.listdir(folder)
    ['new.txt']
    """
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
        if isinstance(error, OSError) and error.errno in _CANT_WRITE:
            where = folder / name if isinstance(name, str) else folder
            reason = os.strerror(error.errno)
            raise OSError(error.errno, refusal.format(reason=reason), str(where)) from error
        raise


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has a way to ask for it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
