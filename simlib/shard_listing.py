"""List the pictures of a folder of any size: sorted, one by one, in memory that stays flat."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from simlib.images import is_file_within, is_image_name

SORTED_IN_MEMORY = 100_000
"""The most names of one folder that are sorted in memory; more are sorted on disk, by SQLite."""

_NOT_TEXT = "\0"  # marks a name that is not Unicode; no system allows it within a name


class Picture(NamedTuple):
    """A file that is taken for a picture, as its folder describes it; nothing has been opened.

    Attributes
    ----------
    path : str
        Below the root, with slashes.
    size : int
        In bytes, -1 if the system would not say.
    mtime_ns : int
        When it was last written, in nanoseconds since 1970; -1 likewise.
    problem : str or None
        Why it can't be opened, where its name alone says so.
    """

    path: str
    size: int
    mtime_ns: int
    problem: str | None = None


class Hole(NamedTuple):
    """A folder that could not be read; what is below it is unknown, not absent.

    Attributes
    ----------
    path : str
        Below the root, with slashes, and one at its end.
    reason : str
    """

    path: str
    reason: str


def list_pictures(root: str | os.PathLike[str]) -> Iterator[Picture | Hole]:
    """Yield every picture below a folder in the order of its path.

    Lists what :func:`simlib.images.find_pictures` lists, in the same order, but holds no more than
    the names of one folder for each level (and of a large folder not even those). A folder that
    can't be read is yielded in its place as a :class:`Hole`.

    Parameters
    ----------
    root : str or os.PathLike

    Yields
    ------
    Picture or Hole
        Sorted by path, written with slashes.

    Raises
    ------
    NotADirectoryError, FileNotFoundError, PermissionError
        Where ``root`` itself is no folder that can be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("b.jpg", "a/2.png", "a.png", "a/notes.txt", ".cache/3.png"):
    ...     file = pathlib.Path(folder.name, name)
    ...     file.parent.mkdir(exist_ok=True)
    ...     _ = file.write_bytes(b"12345")
    >>> [(picture.path, picture.size) for picture in list_pictures(folder.name)]
    [('a.png', 5), ('a/2.png', 5), ('b.jpg', 5)]
    >>> folder.cleanup()
    """
    root = os.fspath(root)
    real_root = os.path.realpath(root)
    try:
        names = _sorted_names(root, real_root)
    except OSError as error:
        raise OSError(
            error.errno, f"The folder cannot be read ({os.strerror(error.errno or 0)})", root
        ) from error
    folders = [("", names)]  # from the root down to where we are
    while folders:
        below, names = folders[-1]
        name = next(names, None)
        if name is None:
            folders.pop()
            continue
        is_text, name = not name.endswith(_NOT_TEXT), name.removesuffix(_NOT_TEXT)
        path = below + name
        if not name.endswith("/"):
            if not is_text:
                yield Picture(path, -1, -1, "its name is not Unicode; rename it")
            elif picture := _described(root, path):
                yield picture
        elif not is_text:
            yield Hole(path, "its name is not Unicode; rename it")
        else:
            try:
                folders.append((path, _sorted_names(os.path.join(root, path), real_root)))
            except FileNotFoundError:
                pass  # removed while we looked: nothing is lost
            except OSError as error:
                yield Hole(path, os.strerror(error.errno or 0))


def _described(root: str, path: str) -> Picture | None:
    """The picture with its size and time; None if it is gone."""
    try:
        status = os.stat(os.path.join(root, path))
    except FileNotFoundError:
        return None
    except OSError:
        return Picture(path, -1, -1)  # whoever opens it will learn the reason
    return Picture(path, status.st_size, status.st_mtime_ns)


def _sorted_names(folder: str, real_root: str) -> Iterator[str]:
    """The names of pictures and, with a slash behind them, of folders.

    With the slash they are in the order of the whole paths: ``a-b.jpg``, ``a.jpg``, ``a/1.jpg``.
    """
    with os.scandir(folder) as entries:
        names = (name for entry in entries if (name := _name(entry, real_root)))
        first = list(islice(names, SORTED_IN_MEMORY))
        if len(first) < SORTED_IN_MEMORY:
            return iter(sorted(first))
        # A database without a name lies in a temporary file that goes with the connection.
        database = sqlite3.connect("")
        database.execute("CREATE TABLE names (name TEXT)")
        rows = ((name,) for name in chain(first, names))
        database.executemany("INSERT INTO names VALUES (?)", rows)
        del first
    # Bytes of UTF-8 sort as the characters do.
    return (name for (name,) in database.execute("SELECT name FROM names ORDER BY name"))


def _name(entry: os.DirEntry[str], real_root: str) -> str | None:
    """The name as it is sorted, None if the entry is neither a folder nor a picture."""
    if entry.name.startswith("."):
        return None
    if entry.is_dir(follow_symlinks=False):
        slash = "/"
    elif is_image_name(entry.name) and is_file_within(entry, real_root):
        slash = ""
    else:
        return None
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(entry.name).decode(errors="backslashreplace")
        return shown + slash + _NOT_TEXT
    return entry.name + slash
