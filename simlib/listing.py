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

MOST_NAMED = 10
"""The most entries that a warning names."""

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


class Links:
    """Symlinks that were not followed: how many, and the first of them.

    Examples
    --------
    >>> links = Links()
    >>> bool(links), str(links)
    (False, '')
    >>> links.add("shoe.jpg", "/photos/1.jpg")
    >>> print(str(links)[:50])
    1 symlink was not followed: 'shoe.jpg' → '/photos/
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []
        self._can_be_followed = False

    def add(self, path: str, target: str, leads_nowhere: bool = False) -> None:
        self.count += 1
        self._can_be_followed |= not leads_nowhere
        if len(self.first) < MOST_NAMED:
            self.first.append(f"'{_shown(path)}' → '{_shown(target)}'")

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        if not self.count:
            return ""
        were = "1 symlink was" if self.count == 1 else f"{self.count:,} symlinks were"
        way = (
            " To follow them, call load_catalogue(folder, follow_links=True), or copy what they "
            "lead to into the folder."
        )
        named = f"{were} not followed: {_enumerated(self.first, self.count)}."
        return named + way * self._can_be_followed


def list_pictures(
    root: str | os.PathLike[str],
    seconds: float | None = None,
    follow_links: bool = False,
    links: Links | None = None,
) -> Iterator[Picture | Hole]:
    """Yield every picture below a folder in the order of its path.

    Hidden files and folders are skipped. No more than the names of one folder for each level are
    held in memory (and of a large folder not even those). A folder that can't be read is yielded
    in its place as a :class:`Hole`.

    A symlink to a picture below ``root`` is listed; one that leads out of ``root`` is not, nor is
    one that leads nowhere, and a warning at the end tells. A symlink to a folder below ``root`` is
    skipped silently: what it leads to is listed in its own place.

    Parameters
    ----------
    root : str or os.PathLike
    seconds : float, optional
        Give up after this time.
    follow_links : bool
        List also what symlinks lead to outside ``root``. Each folder is listed once, so that
        cycles end.
    links : Links, optional
        Collects the symlinks that are not followed, instead of the warning.

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
    found_links = Links() if links is None else links
    walk = _Walk(root, follow_links, found_links)
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    try:
        folders = [("", walk.sorted_names(""))]  # from the root down to where we are
    except OSError as error:
        raise OSError(
            error.errno, f"The folder cannot be read ({os.strerror(error.errno or 0)})", root
        ) from error
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
                folders.append((path, walk.sorted_names(path)))
            except FileNotFoundError:
                pass  # removed while we looked: nothing is lost
            except OSError as error:
                yield Hole(path, os.strerror(error.errno or 0))
    if links is None and found_links:
        warnings.warn(f"Below {_shown(root)!r} {found_links}", stacklevel=2)


def _described(root: str, path: str) -> Picture | None:
    """The picture with its size and time; None if it is gone."""
    try:
        status = os.stat(os.path.join(root, path))
    except FileNotFoundError:
        return None
    except OSError:
        return Picture(path, -1, -1)  # whoever opens it will learn the reason
    return Picture(path, status.st_size, status.st_mtime_ns)


class _Walk:
    """What one walk through a folder has to remember."""

    def __init__(self, root: str, follow_links: bool, links: Links) -> None:
        self.root = root
        self.real_root = os.path.realpath(root)
        self.follow_links = follow_links
        self.links = links
        self.visited: set[tuple[int, int]] = set()  # where links are followed: no cycle is endless

    def sorted_names(self, below: str) -> Iterator[str]:
        """The names of pictures and, with a slash behind them, of folders.

        With the slash they are in the order of the paths: ``a-b.jpg``, ``a.jpg``, ``a/1.jpg``.
        """
        folder = os.path.join(self.root, below)
        if self.follow_links:
            status = os.stat(folder)
            if (identity := (status.st_dev, status.st_ino)) in self.visited:
                return iter(())
            self.visited.add(identity)
        with os.scandir(folder) as entries:
            names = (name for entry in entries if (name := self._name(entry, below)))
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

    def _name(self, entry: os.DirEntry[str], below: str) -> str | None:
        """The name as it is sorted, None if the entry is neither a folder nor a picture."""
        if entry.name.startswith("."):
            return None
        try:
            if entry.is_symlink():
                slash = self._linked(entry, below)
            elif entry.is_dir(follow_symlinks=False):
                slash = "/"
            else:
                is_picture = is_image_name(entry.name) and entry.is_file(follow_symlinks=False)
                slash = "" if is_picture else None
        except OSError:  # gone since
            return None
        if slash is None:
            return None
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            return _shown(entry.name) + slash + _NOT_TEXT
        return entry.name + slash

    def _linked(self, entry: os.DirEntry[str], below: str) -> str | None:
        """What stands behind the name of a symlink that is listed; None if it is not."""
        target = os.path.realpath(entry.path)
        is_folder = os.path.isdir(target)
        if not is_folder and not is_image_name(entry.name):
            return None
        try:
            is_inside = os.path.commonpath([target, self.real_root]) == self.real_root
        except ValueError:  # on another drive (Windows)
            is_inside = False
        if is_folder and is_inside:
            inner = os.path.relpath(target, self.real_root).split(os.sep)
            if inner == [os.curdir] or not any(part.startswith(".") for part in inner):
                return None  # listed in its own place
            is_inside = False  # hidden there
        is_there = is_folder or os.path.isfile(target)
        if is_there and (is_inside or self.follow_links):
            return "/" if is_folder else ""
        self.links.add(below + entry.name, os.readlink(entry.path), not is_there)
        return None


def is_image_name(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is taken for a picture: by its suffix, and not if it is hidden.

    Examples
    --------
    >>> [is_image_name(name) for name in ("red/Shoe 1.JPG", "prices.csv", ".thumb.jpg", ".png")]
    [True, False, False, False]
    """
    name = PurePath(os.fspath(name)).name
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def find_pictures(root: str | os.PathLike[str], follow_links: bool = False) -> list[Path]:
    """Return the path of every picture below a folder, in the order of :func:`list_pictures`.

    What can't be used (a folder that can't be read, a name that is not Unicode, a symlink that
    leads out of the folder) is skipped, with one warning that names it.

    Parameters
    ----------
    root : str or os.PathLike
        The folder.
    follow_links : bool
        As for :func:`list_pictures`.

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
    found, skipped = survey(root, follow_links)
    if skipped:
        warnings.warn(f"Below {_shown(os.fspath(root))!r} {skipped}", stacklevel=2)
    return found


def survey(
    root: str | os.PathLike[str],
    follow_links: bool = False,
    seconds: float | None = None,
    most: int | None = None,
) -> tuple[list[Path], str]:
    """Return the pictures below a folder as :func:`find_pictures` does, and what was skipped.

    Instead of a warning it returns what the warning would say, empty if nothing was skipped; also
    that the listing ended after ``seconds`` or with ``most`` pictures.
    """
    found: list[Path] = []
    count, links, end = 0, Links(), ""
    first: list[str] = []
    try:
        for item in list_pictures(root, seconds, follow_links, links):
            if isinstance(item, Picture) and item.problem is None:
                if len(found) == most:
                    end = "There are more; they are not listed."
                    break
                found.append(Path(root, item.path))
                continue
            count += 1
            if len(first) < MOST_NAMED:
                if isinstance(item, Hole):
                    first.append(f"the folder {item.path.rstrip('/')!r} ({item.reason})")
                else:
                    first.append(f"{item.path!r} ({item.problem})")
    except TimeoutError:
        end = "There may be more; listing them takes too long."
    parts = [
        f"{count:,} could not be listed and were skipped: {_enumerated(first, count)}."
        if count
        else "",
        str(links),
        end,
    ]
    return found, " ".join(part for part in parts if part)


def _enumerated(first: list[str], count: int) -> str:
    return "; ".join(first) + (f"; and {count - len(first):,} more" if count > len(first) else "")


def _shown(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 as ``\\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")
