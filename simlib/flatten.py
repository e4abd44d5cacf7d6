"""Flatten a folder of pictures as the tutorial does, without losing one, and put it back.

The whole plan is written to a manifest in the root, and to the disk, before the first file moves.
A move keeps the file itself (no copy) and cannot replace another. So whenever the work is cut off,
the manifest and what lies where tell how far it came: the next call goes on from there, or back.

A manifest can come with a downloaded folder. It is trusted only to say which name a file of this
folder shall have: nothing outside the root is reached, and nothing is removed because of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from simlib.moving import entry, move_file, restore_folder, status_of

MANIFEST_NAME = ".simlib-moves.jsonl"
"""The manifest in the root: a line of JSON for each move and for each removed folder."""

LOCK_TIMEOUT = 60.0
"""How long, in seconds, to wait for another process that works on the same folder."""

_LOCK_NAME = ".simlib-moves.lock"
_UNFINISHED = ".simlib-moves-unfinished-"  # begins the name of a manifest that is being written
_LARGEST_MANIFEST = 2**30  # bytes: some 7 million moves
_LONGEST_NAME = 255  # bytes; what the usual file systems allow
_LONGEST_PATH = 4096  # bytes
_UNLINKED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # for os.open

_Record = dict[str, Any]  # a line of the manifest


def move_to_root_folder(
    root_path: str | os.PathLike[str], cur_path: str | os.PathLike[str], dry_run: bool = False
) -> pd.DataFrame:
    """Move every file below ``cur_path`` up into ``root_path``; the emptied folders are removed.

    A file is named by the path that it had (``red/1.jpg`` becomes ``red_1.jpg``), with a counter
    where that name is taken, also by one that differs in case or in Unicode form only, since not
    every disk tells these apart. No file is ever overwritten. All regular files move, not only
    pictures; hidden files and folders stay (with the folders that hold them). So do symlinks,
    which are never followed, folders that cannot be read, and files on another disk mounted there:
    of these a warning tells.

    The moves are listed in ``.simlib-moves.jsonl`` in the root before they begin. Called again
    after an interruption, this picks up where it was cut off; called on a flat folder, it does
    nothing. ``undo_move_to_root_folder`` puts everything back.

    Parameters
    ----------
    root_path : str or os.PathLike
        The folder that receives the files.
    cur_path : str or os.PathLike
        The folder to empty: ``root_path`` itself, or one below it, which is then removed too.
    dry_run : bool
        Move nothing, write nothing, and return the same plan.

    Returns
    -------
    pandas.DataFrame
        A row for each file moved by this call: ``from`` and ``to``, relative to the root, with
        slashes.

    Raises
    ------
    NotADirectoryError
        If one of the two is not a folder.
    ValueError
        If ``cur_path`` does not lie in ``root_path``, or the manifest is not one of simlib's.
    TimeoutError
        If another process works on the same folder for more than a minute.
    OSError
        If the manifest cannot be written; nothing has been moved then.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for colour in ("red", "blue"):
    ...     pathlib.Path(folder.name, colour).mkdir()
    ...     _ = pathlib.Path(folder.name, colour, "1.jpg").write_text(colour)
    >>> move_to_root_folder(folder.name, folder.name)
             from          to
    0  blue/1.jpg  blue_1.jpg
    1   red/1.jpg   red_1.jpg
    >>> pathlib.Path(folder.name, "red_1.jpg").read_text()
    'red'
    >>> len(undo_move_to_root_folder(folder.name))
    2
    >>> pathlib.Path(folder.name, "red", "1.jpg").read_text()
    'red'
    >>> folder.cleanup()
    """
    root = _existing_folder(root_path, "root_path")
    cur = _below(root, _existing_folder(cur_path, "cur_path"))
    moves, folders, left_alone = _plan(root, cur, _read_manifest(root))
    if (moves or folders) and not dry_run:
        with _locked(root):
            known = _read_manifest(root)
            moves, folders, left_alone = _plan(root, cur, known)  # another process may have acted
            _write_manifest(root, known, moves + folders)
            done = []
            for record in moves:
                if (why := move_file(root, record["from"], record["to"])) is None:
                    done.append(record)
                else:
                    left_alone.append((record["from"], why))
            for record in folders:
                with suppress(OSError), entry(root, record["folder"]) as (name, parent):
                    os.rmdir(name, dir_fd=parent)  # fails if something stayed in it
            moves = done
    _warn(left_alone, "left where they are")
    return _frame((record["from"], record["to"]) for record in moves)


def undo_move_to_root_folder(root_path: str | os.PathLike[str]) -> pd.DataFrame:
    """Put back everything that ``move_to_root_folder`` moved, and the folders that it removed.

    Works after interrupted calls, too, and can itself be interrupted and called again. Where the
    old place was taken in the meantime, the file stays where it is, a warning names it, and the
    manifest keeps it for the next try; otherwise the manifest is removed.

    Parameters
    ----------
    root_path : str or os.PathLike
        The root that was given to ``move_to_root_folder``.

    Returns
    -------
    pandas.DataFrame
        A row for each file put back: ``from`` and ``to``, relative to the root, with slashes. Empty
        if there is nothing to put back.

    Raises
    ------
    NotADirectoryError, ValueError, TimeoutError, OSError
        As for ``move_to_root_folder``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(undo_move_to_root_folder(folder))
    0
    """
    root = _existing_folder(root_path, "root_path")
    restored: list[tuple[str, str]] = []
    conflicts: list[tuple[str, str]] = []
    if not any(os.path.lexists(os.path.join(root, name)) for name in (MANIFEST_NAME, _LOCK_NAME)):
        return _frame(restored)
    with _locked(root):
        records = _read_manifest(root)
        folders = [record for record in records if "folder" in record]
        for record in sorted(folders, key=lambda record: record["folder"].count("/")):
            restore_folder(root, record["folder"], record["mode"])
        kept = False
        for record in reversed(records):  # the last move first: later ones may rest on earlier ones
            if "from" not in record:
                continue
            old, new = record["from"], record["to"]
            there, back = status_of(root, new), status_of(root, old)
            if there is None:
                if back is None:
                    conflicts.append((new, "no longer there"))
            elif back is not None and there.st_ino != record["inode"]:
                pass  # the move never happened: the name was given to another file before
            elif (why := move_file(root, new, old)) is None:
                restored.append((new, old))
            else:
                conflicts.append((new, why))
                kept = True
        if not kept:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(root, MANIFEST_NAME))
    _warn(conflicts, "not put back")
    return _frame(restored)


def _existing_folder(path: str | os.PathLike[str], name: str) -> str:
    real = os.path.realpath(os.fsdecode(os.fspath(path)))
    if not os.path.isdir(real):
        raise NotADirectoryError(f"{name} must be a folder; {os.fspath(path)!r} is not one.")
    return real


def _below(root: str, cur: str) -> str:
    """``cur`` relative to ``root``, with slashes; empty for the root itself."""
    below = "" if cur == root else os.path.relpath(cur, root).replace(os.sep, "/")
    if below.split("/")[0] == ".." or os.path.isabs(below):
        raise ValueError(f"cur_path must lie in root_path; {cur!r} is outside {root!r}.")
    if below.startswith(".") or "/." in below:
        raise ValueError(f"cur_path is {cur!r}; hidden folders are left as they are.")
    return below


def _frame(moves: Iterable[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(list(moves), columns=["from", "to"], dtype=object)


def _warn(files: list[tuple[str, str]], what: str) -> None:
    if files:
        named = "; ".join(f"{name!r}: {why}" for name, why in files[:10])
        more = "; …" if len(files) > 10 else ""
        warnings.warn(f"{len(files)} entries were {what} ({named}{more}).", stacklevel=3)


# The plan: what is to be done, worked out anew from the folder and the manifest on every call


def _plan(
    root: str, cur: str, known: list[_Record]
) -> tuple[list[_Record], list[_Record], list[tuple[str, str]]]:
    """The moves and the removals of folders that are still to be done, and what is left alone.

    A file whose move is in the manifest but was never completed keeps the name planned for it.
    """
    inodes, removals, left_alone = _scan(root, cur)
    planned: dict[str, _Record] = {}
    for record in known:
        if (file := record.get("from")) in inodes and file not in planned:
            there = status_of(root, record["to"])
            if there is None or there.st_ino == record["inode"] == inodes[file]:
                planned[file] = record
    taken = {_folded(name) for name in os.listdir(root)}
    taken |= {_folded(record["to"]) for record in planned.values()}
    moves = [
        planned.get(file) or {"from": file, "to": _free_name(file, taken), "inode": inode}
        for file, inode in inodes.items()
    ]
    return moves, removals, left_alone


def _scan(root: str, cur: str) -> tuple[dict[str, int], list[_Record], list[tuple[str, str]]]:
    """What lies below ``cur``, named from ``root`` on, each in a stable order.

    The regular files in folders → their inodes; the folders that will be empty without them,
    deepest first, with their modes; what is left alone, and why.
    """
    files: dict[str, int] = {}
    folders: dict[str, int] = {}
    left_alone: list[tuple[str, str]] = []
    staying: set[str] = set()  # folders that hold something that stays, at whatever depth

    def stays(folder: str, name: str = "", why: str = "") -> None:
        if name:
            left_alone.append((name, why))
        while folder and folder not in staying:
            staying.add(folder)
            folder = folder.rpartition("/")[0]

    to_visit = [cur]
    while to_visit:
        folder = to_visit.pop()
        try:
            if folder:
                folders[folder] = stat.S_IMODE(os.lstat(os.path.join(root, folder)).st_mode)
            with os.scandir(os.path.join(root, folder)) as entries:
                for found in entries:
                    name = f"{folder}/{found.name}" if folder else found.name
                    if found.name.startswith("."):
                        stays(folder)
                    elif found.is_symlink():
                        stays(folder, name, "a symlink")
                    elif found.is_dir(follow_symlinks=False):
                        to_visit.append(name)
                    elif not found.is_file(follow_symlinks=False):
                        stays(folder, name, "neither a file nor a folder")
                    elif folder and (status := status_of(root, name)):  # else it is gone again
                        files[name] = status.st_ino
        except FileNotFoundError:  # removed while we looked
            folders.pop(folder, None)
        except OSError as error:
            stays(folder, folder or ".", os.strerror(error.errno or 0))
    removable = sorted(folders.keys() - staying, key=lambda name: (-name.count("/"), name))
    removals = [{"folder": name, "mode": folders[name]} for name in removable]
    return dict(sorted(files.items())), removals, sorted(left_alone)


def _folded(name: str) -> str:
    """The same for two names that some file system takes for one."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _free_name(file: str, taken: set[str]) -> str:
    """A name in the root for ``red/1.jpg`` that nothing there has, added to ``taken``."""
    stem, suffix = os.path.splitext(file.replace("/", "_"))
    if len(os.fsencode(suffix)) > 20:
        stem, suffix = stem + suffix, ""
    longest = _LONGEST_NAME - len("-1234567")  # room for a counter
    if len(os.fsencode(stem + suffix)) > longest:
        mark = f"-{hashlib.sha256(os.fsencode(file)).hexdigest()[:12]}{suffix}"
        while len(os.fsencode(stem + mark)) > longest:
            stem = stem[:-1]
        stem, suffix = os.path.splitext(stem + mark)
    name, count = stem + suffix, 1
    while _folded(name) in taken:
        count += 1
        name = f"{stem}-{count}{suffix}"
    taken.add(_folded(name))
    return name


# The manifest


@contextmanager
def _locked(root: str) -> Iterator[None]:
    """Keep other processes out, until this one ends, however it ends."""
    from filelock import FileLock, Timeout

    path = os.path.join(root, _LOCK_NAME)
    try:
        lock = FileLock(path, timeout=LOCK_TIMEOUT)
        lock.acquire()
    except Timeout:
        raise TimeoutError(
            f"Another process has been working on {root!r} for {LOCK_TIMEOUT:.0f} seconds; "
            "try again when it is done."
        ) from None
    except OSError as error:
        said = f"Nothing was moved: the folder cannot be locked ({os.strerror(error.errno or 0)})"
        raise OSError(error.errno, said, path) from error
    try:
        for name in os.listdir(root):
            if name.startswith(_UNFINISHED):  # left by a process that was killed
                with suppress(OSError):
                    os.unlink(os.path.join(root, name))
        yield
    finally:
        with suppress(OSError):  # while it is held: who waits for it then makes a new one
            os.unlink(path)
        lock.release()


def _read_manifest(root: str) -> list[_Record]:
    """The records of the manifest; a last line that was cut short is none."""
    path = os.path.join(root, MANIFEST_NAME)
    if not os.path.lexists(path):
        return []
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_MANIFEST:
        raise ValueError(f"{path!r} must be a file that simlib wrote; move it away and try again.")
    with open(path, "rb", opener=lambda path, flags: os.open(path, flags | _UNLINKED)) as manifest:
        text = manifest.read(_LARGEST_MANIFEST)
    records = []
    for number, line in enumerate(text.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line.decode())
            if isinstance(record, dict) and set(record) == {"placeholder"}:
                continue  # of an earlier version; means nothing now
            if not _is_sound(root, record):
                raise ValueError
        except (ValueError, RecursionError):  # json's and Unicode's errors are ValueErrors, too
            raise ValueError(
                f"Line {number} of {path!r} is not one that simlib wrote. Nothing was moved; "
                "repair the line, or move the file away to start anew."
            ) from None
        records.append(record)
    return records


def _is_sound(root: str, record: Any) -> bool:
    """Whether a line may be acted on, whoever wrote it."""
    if not isinstance(record, dict):
        return False
    if set(record) == {"folder", "mode"}:
        names, number, end = [record["folder"]], record["mode"], 0o10000
    elif set(record) == {"from", "to", "inode"}:
        names, number, end = [record["from"], record["to"]], record["inode"], 2**128
    else:
        return False
    if type(number) is not int or not 0 <= number < end:
        return False
    if not all(_is_inside(root, name) for name in names):
        return False
    return "from" not in record or ("/" in names[0] and "/" not in names[1])  # so they differ


def _is_inside(root: str, name: Any) -> bool:
    """Whether this is a relative path that cannot lead out of the root, nor to a hidden file."""
    if not isinstance(name, str) or "\0" in name:
        return False
    parts = name.split("/")
    if os.name == "nt" and (set(name) & set("\\:") or any(p != p.rstrip(" .") for p in parts)):
        return False  # Windows would take them for other names
    if not all(part and not part.startswith(".") for part in parts):
        return False
    return len(os.fsencode(os.path.join(root, name))) < _LONGEST_PATH  # or a UnicodeEncodeError


def _write_manifest(root: str, known: list[_Record], records: list[_Record]) -> None:
    """Add what is new among ``records`` to the manifest, all or nothing, and to the disk."""
    from simlib.storage.atomic import atomic_write

    lines = dict.fromkeys(json.dumps(record) for record in known + records)
    refusal = "Nothing was moved: the list of moves cannot be written ({reason})"
    with atomic_write(Path(root), MANIFEST_NAME, _UNFINISHED, refusal) as manifest:
        manifest.write("".join(line + "\n" for line in lines).encode())
