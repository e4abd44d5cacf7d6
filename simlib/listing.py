"""List the pictures below a folder of any size: sorted, one by one, in memory that stays flat.

The one way in which simlib walks a folder. Nothing is opened: a file is taken for a picture by its
name.
"""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import NamedTuple

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .webp .bmp .tif .tiff .avif .heic .heif .ppm .pgm .pbm".split()
)
"""The suffixes, in lower case, by which a file is taken for a picture."""

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


def list_pictures(
    root: str | os.PathLike[str], seconds: float | None = None
) -> Iterator[Picture | Hole]:
    """Yield every picture below a folder in the order of its path.

    Hidden files and folders are skipped, symlinks to folders are not followed (they may form a
    cycle), nor are symlinks to files outside ``root``. No more than the names of one folder for
    each level are held in memory (and of a large folder not even those). A folder that can't be
    read is yielded in its place as a :class:`Hole`.

    Parameters
    ----------
    root : str or os.PathLike
    seconds : float, optional
        Give up after this time.

    Yields
    ------
    Picture or Hole
        Sorted by path, written with slashes.

    Raises
    ------
    NotADirectoryError, FileNotFoundError, PermissionError
        Where ``root`` itself is no folder that can be read.
    TimeoutError
        After ``seconds``.

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
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    try:
        names = _sorted_names(root, real_root)
    except OSError as error:
        raise OSError(
            error.errno, f"The folder cannot be read ({os.strerror(error.errno or 0)})", root
        ) from error
    folders = [("", names)]  # from the root down to where we are
    while folders:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The folder {root!r} could not be listed in {seconds} seconds.")
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
    elif is_image_name(entry.name) and _is_file_within(entry, real_root):
        slash = ""
    else:
        return None
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(entry.name).decode(errors="backslashreplace")
        return shown + slash + _NOT_TEXT
    return entry.name + slash


def is_image_name(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is taken for a picture: by its suffix, and not if it is hidden.

    Examples
    --------
    >>> [is_image_name(name) for name in ("red/Shoe 1.JPG", "prices.csv", ".thumb.jpg", ".png")]
    [True, False, False, False]
    """
    name = PurePath(os.fspath(name)).name
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def find_pictures(root: str | os.PathLike[str]) -> list[Path]:
    """Return the path of every picture below a folder, in the order of :func:`list_pictures`.

    What can't be used (a folder that can't be read, a name that is not Unicode) is skipped, with
    one warning that names it.

    Parameters
    ----------
    root : str or os.PathLike
        The folder.

    Returns
    -------
    list of pathlib.Path
        Each begins with ``root``.

    Raises
    ------
    NotADirectoryError, FileNotFoundError, PermissionError
        Where ``root`` itself is no folder that can be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("b.jpg", "a/2.png", "a/1.png"):
    ...     file = pathlib.Path(folder.name, name)
    ...     file.parent.mkdir(exist_ok=True)
    ...     file.touch()
    >>> [path.relative_to(folder.name).as_posix() for path in find_pictures(folder.name)]
    ['a/1.png', 'a/2.png', 'b.jpg']
    >>> folder.cleanup()
    """
    found: list[Path] = []
    skipped: list[str] = []
    for item in list_pictures(root):
        if isinstance(item, Hole):
            skipped.append(f"the folder {item.path.rstrip('/')!r} ({item.reason})")
        elif item.problem:
            skipped.append(f"{item.path!r} ({item.problem})")
        else:
            found.append(Path(root, item.path))
    if skipped:
        warnings.warn(
            f"Below {os.fspath(root)!r} {len(skipped)} could not be listed and were skipped: "
            f"{'; '.join(skipped[:10])}{' …' if len(skipped) > 10 else ''}.",
            stacklevel=2,
        )
    return found


def _is_file_within(entry: os.DirEntry[str], real_root: str) -> bool:
    """Whether an entry is a regular file, or a symlink to one below ``real_root``."""
    try:
        if not entry.is_symlink():
            return entry.is_file(follow_symlinks=False)
        target = os.path.realpath(entry.path)
        return os.path.isfile(target) and os.path.commonpath([target, real_root]) == real_root
    except (OSError, ValueError):  # gone since, or (Windows) on another drive
        return False
