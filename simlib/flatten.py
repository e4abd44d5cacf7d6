"""Flatten a folder of pictures as the tutorial does, without losing one, and put it back.

The whole plan is written to a manifest in the root, and to the disk, before the first file moves.
A move keeps the file itself (no copy) and cannot replace another. So whenever the work is cut off,
the manifest tells from what lies where how far it came: the next call goes on from there, or back.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import pandas as pd

MANIFEST_NAME = ".simlib-moves.jsonl"
"""The manifest in the root: a line of JSON for each move, removed folder and placeholder."""

LOCK_TIMEOUT = 60.0
"""How long, in seconds, to wait for another process that works on the same folder."""

_LONGEST_NAME = 255  # bytes; what the usual file systems allow
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}

_Record = dict[str, Any]  # a line of the manifest


def move_to_root_folder(
    root_path: str | os.PathLike[str], cur_path: str | os.PathLike[str], dry_run: bool = False
) -> pd.DataFrame:
    """Move every file below `cur_path` up into `root_path`; the emptied folders are removed.

    A file is named by the path that it had (`red/1.jpg` becomes `red_1.jpg`), with a counter where
    that name is taken, also by one that differs in case or in Unicode form only, since not every
    disk tells these apart. No file is ever overwritten. Files that lie in the root already keep
    their names. All regular files move, not only pictures; hidden files and folders stay where
    they are (with the folders that hold them), and so do links, which are never followed, folders
    that cannot be read, and files on another disk mounted there: of these a warning tells.

    The moves are listed in `.simlib-moves.jsonl` in the root before they begin. Called again after
    an interruption, this picks up where it was cut off; called on a flat folder, it does nothing.
    `undo_move_to_root_folder` puts everything back.

    Parameters
    ----------
    root_path : str or os.PathLike
        The folder that receives the files.
    cur_path : str or os.PathLike
        The folder to empty: `root_path` itself, or one below it, which is then removed too.
    dry_run : bool
        Move nothing, write nothing, and return the same plan.

    Returns
    -------
    pandas.DataFrame
        A row for each file moved by this call: `from` and `to`, relative to the root, with slashes.

    Raises
    ------
    NotADirectoryError
        If one of the two is not a folder.
    ValueError
        If `cur_path` does not lie in `root_path`, or the manifest was damaged by somebody.
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
    records, left_alone = _plan(root, cur, _read_manifest(root))
    if records and not dry_run:
        with _locked_manifest(root) as manifest:
            known = _parse(root, manifest)
            _clear_placeholders(root, known)
            records, left_alone = _plan(root, cur, known)  # another process may have been at work
            written = {id(record) for record in known}
            _append(manifest, [record for record in records if id(record) not in written])
            done = []
            for record in records:
                if "from" in record:
                    source, target = record["from"], record["to"]
                    if (why := _move(root, source, target, manifest)) is None:
                        done.append(record)
                    else:
                        left_alone.append((source, why))
                else:
                    with suppress(OSError):  # something stayed in it
                        os.rmdir(os.path.join(root, record["folder"]))
            records = done
    _warn(left_alone, "left where they are")
    return _frame((record["from"], record["to"]) for record in records if "from" in record)


def undo_move_to_root_folder(root_path: str | os.PathLike[str]) -> pd.DataFrame:
    """Put back everything that `move_to_root_folder` moved, and the folders that it removed.

    Works after interrupted calls, too, and can itself be interrupted and called again. Where the
    old place was taken in the meantime, the file stays where it is, a warning names it, and the
    manifest keeps it for the next try; otherwise the manifest is removed.

    Parameters
    ----------
    root_path : str or os.PathLike
        The root that was given to `move_to_root_folder`.

    Returns
    -------
    pandas.DataFrame
        A row for each file put back: `from` and `to`, relative to the root, with slashes. Empty if
        there is nothing to put back.

    Raises
    ------
    NotADirectoryError, ValueError, TimeoutError, OSError
        As for `move_to_root_folder`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(undo_move_to_root_folder(folder))
    0
    """
    root = _existing_folder(root_path, "root_path")
    if not os.path.lexists(os.path.join(root, MANIFEST_NAME)):
        return _frame([])
    restored: list[tuple[str, str]] = []
    conflicts: list[tuple[str, str]] = []
    with _locked_manifest(root) as manifest:
        records = _parse(root, manifest)
        _clear_placeholders(root, records)
        folders = [record for record in records if "folder" in record]
        for record in sorted(folders, key=lambda record: record["folder"].count("/")):
            _make_folder(root, record["folder"])
        kept = False
        for record in reversed(records):  # the last move first: later ones may rest on earlier ones
            if "from" not in record:
                continue
            old, new = record["from"], record["to"]
            status = _status(root, new)
            if status is None:
                if _status(root, old) is None:
                    conflicts.append((new, "no longer there"))
                continue
            if _status(root, old) is not None and status.st_ino != record["inode"]:
                continue  # the move never happened: the name was given to another file before
            _make_folder(root, os.path.dirname(old))
            why = _move(root, new, old, manifest)
            if why is None:
                restored.append((new, old))
            else:
                conflicts.append((new, why))
                kept = True
        for record in folders:
            with suppress(OSError):
                os.chmod(os.path.join(root, record["folder"]), record["mode"])
        if not kept:
            manifest.truncate(0)
    _warn(conflicts, "not put back")
    return _frame(restored)


def _existing_folder(path: str | os.PathLike[str], name: str) -> str:
    real = os.path.realpath(os.fsdecode(os.fspath(path)))
    if not os.path.isdir(real):
        raise NotADirectoryError(f"{name} must be a folder; {os.fspath(path)!r} is not one.")
    return real


def _below(root: str, cur: str) -> str:
    """`cur` relative to `root`, with slashes; empty for the root itself."""
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


def _plan(root: str, cur: str, known: list[_Record]) -> tuple[list[_Record], list[tuple[str, str]]]:
    """What is still to be done, and what will be left alone.

    Moves of the manifest that were never made come first and keep their names.
    """
    files, folders, left_alone = _scan(root, cur)
    to_do = [record for record in known if "from" in record and _is_to_do(root, record)]
    pending = list({record["from"]: record for record in reversed(to_do)}.values())[::-1]
    taken = {_folded(name) for name in os.listdir(root)} | {_folded(r["to"]) for r in pending}
    promised = {record["from"] for record in pending}
    moves = [
        {"from": file, "to": _free_name(file, taken), "inode": inode}
        for file, inode in files
        if "/" in file and file not in promised
    ]
    planned = {record["folder"]: record for record in known if "folder" in record}
    removals = [planned.get(name, {"folder": name, "mode": mode}) for name, mode in folders]
    return pending + moves + removals, left_alone


def _is_to_do(root: str, record: _Record) -> bool:
    """Whether a move of the manifest was never begun, or stopped half-way."""
    old, new = _status(root, record["from"]), _status(root, record["to"])
    return old is not None and (new is None or os.path.samestat(old, new))


def _scan(
    root: str, cur: str
) -> tuple[list[tuple[str, int]], list[tuple[str, int]], list[tuple[str, str]]]:
    """What lies below `cur`, relative to `root`, each list in a stable order.

    The regular files with their inodes; the folders that will be empty without them, deepest first,
    with their modes; what is left alone, and why.
    """
    files: list[tuple[str, int]] = []
    folders: list[tuple[str, int]] = []
    left_alone: list[tuple[str, str]] = []
    staying: set[str] = set()  # folders that hold something that stays, at whatever depth

    def stays(folder: str) -> None:
        while folder and folder not in staying:
            staying.add(folder)
            folder = folder.rpartition("/")[0]

    to_visit = [cur]
    while to_visit:
        folder = to_visit.pop()
        try:
            if folder:
                mode = stat.S_IMODE(os.lstat(os.path.join(root, folder)).st_mode)
                folders.append((folder, mode))
            with os.scandir(os.path.join(root, folder)) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.name.startswith("."):
                        stays(folder)
                    elif entry.is_symlink():
                        stays(folder)
                        left_alone.append((name, "a link"))
                    elif entry.is_dir(follow_symlinks=False):
                        to_visit.append(name)
                    elif not entry.is_file(follow_symlinks=False):
                        stays(folder)
                        left_alone.append((name, "neither a file nor a folder"))
                    elif status := _status(root, name):  # else it has just been removed
                        files.append((name, status.st_ino))
        except FileNotFoundError:  # removed while we looked
            folders = [known for known in folders if known[0] != folder]
        except OSError as error:
            stays(folder)
            left_alone.append((folder or ".", os.strerror(error.errno or 0)))
    files.sort()
    folders = [folder for folder in folders if folder[0] not in staying]
    folders.sort(key=lambda folder: (-folder[0].count("/"), folder[0]))
    left_alone.sort()
    return files, folders, left_alone


def _folded(name: str) -> str:
    """The same for two names that some file system takes for one."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _free_name(file: str, taken: set[str]) -> str:
    """A name in the root for `red/1.jpg` that nothing there has, added to `taken`."""
    stem, suffix = os.path.splitext(file.replace("/", "_"))
    if len(os.fsencode(suffix)) > 20:
        stem, suffix = stem + suffix, ""
    count = 1
    while True:
        end = suffix if count == 1 else f"-{count}{suffix}"
        if len(os.fsencode(stem + end)) > _LONGEST_NAME:
            stem_hash = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
            while len(os.fsencode(f"{stem}-{stem_hash}-00000000{suffix}")) > _LONGEST_NAME:
                stem = stem[:-1]
            stem = f"{stem}-{stem_hash}"
        if _folded(stem + end) not in taken:
            taken.add(_folded(stem + end))
            return stem + end
        count += 1


# The moves


def _status(root: str, name: str) -> os.stat_result | None:
    try:
        return os.lstat(os.path.join(root, name))
    except OSError:  # not there, or not within reach
        return None


def _make_folder(root: str, name: str) -> None:
    """Make a folder below the root; where that fails, the moves into it will, and say so."""
    if os.path.realpath(os.path.join(root, name)) == os.path.join(root, *name.split("/")):
        with suppress(OSError):
            os.makedirs(os.path.join(root, name), exist_ok=True)


def _move(root: str, source: str, target: str, manifest: BinaryIO) -> str | None:
    """Move a file within the root, never onto another; None if it was, or why it was not."""
    for name in (source, target):  # a folder on the way may have become a link out of the root
        parent = os.path.dirname(os.path.join(root, name))
        if os.path.realpath(parent) != os.path.normpath(parent):
            return "a link stands in its way"
    old, new = os.path.join(root, source), os.path.join(root, target)
    try:
        if os.name == "nt":
            os.rename(old, new)  # there, this fails if the name is taken
            return None
        try:
            os.link(old, new, follow_symlinks=False)
        except FileExistsError:
            if not os.path.samestat(os.lstat(old), os.lstat(new)):
                return f"{target!r} exists"
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _move_without_links(old, new, target, manifest)
            return None
        try:
            os.unlink(old)
        except OSError:
            os.unlink(new)  # the folder of the old name is read-only: as it was
            raise
    except FileExistsError:
        return f"{target!r} exists"
    except OSError as error:
        return "on another disk" if error.errno == errno.EXDEV else os.strerror(error.errno or 0)
    return None


def _move_without_links(old: str, new: str, target: str, manifest: BinaryIO) -> None:
    """For disks without hard links (FAT): hold the name with an empty file, then rename onto it."""
    _append(manifest, [{"placeholder": target}], sync=False)  # one a file: that would take long
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(old, new)
    except OSError:
        os.unlink(new)
        raise


def _clear_placeholders(root: str, records: list[_Record]) -> None:
    """Remove the empty files by which an interrupted move held a name."""
    placeholders = {record["placeholder"] for record in records if "placeholder" in record}
    for record in records:
        if "from" not in record:
            continue
        old, new = _status(root, record["from"]), _status(root, record["to"])
        if old is None or new is None or os.path.samestat(old, new):
            continue
        for name, status in ((record["to"], new), (record["from"], old)):
            if name in placeholders and status.st_size == 0:
                os.unlink(os.path.join(root, name))
                break


# The manifest


@contextmanager
def _locked_manifest(root: str) -> Iterator[BinaryIO]:
    """The manifest, open and held by this process alone; removed at the end if it is empty."""
    path = os.path.join(root, MANIFEST_NAME)
    deadline = time.monotonic() + LOCK_TIMEOUT
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # not every system has each
        flags |= getattr(os, flag, 0)
    while True:
        try:
            manifest = open(os.open(path, flags, 0o644), "r+b", buffering=0)
        except OSError as error:
            raise OSError(
                error.errno,
                f"Nothing was moved: the list of moves cannot be written "
                f"({os.strerror(error.errno or 0)})",
                path,
            ) from error
        try:
            if _try_lock(manifest) and _is_at(manifest, path):
                break
        except BaseException:
            manifest.close()
            raise
        manifest.close()
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"Another process has been working on {root!r} for {LOCK_TIMEOUT:.0f} seconds; "
                "try again when it is done."
            )
        time.sleep(0.02)
    empty = False
    try:
        with manifest:
            try:
                yield manifest
            finally:
                empty = os.fstat(manifest.fileno()).st_size == 0
                if empty and os.name != "nt":
                    os.unlink(path)
    finally:
        if empty and os.name == "nt":  # where an open file cannot be removed
            with suppress(OSError):
                os.unlink(path)


def _try_lock(manifest: BinaryIO) -> bool:
    """Lock a file; the system undoes it when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            manifest.seek(2**30)  # a byte far behind the text, which others may read meanwhile
            msvcrt.locking(manifest.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: str) -> bool:
    """Whether an open file is still the one at `path`: another process may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False


def _append(manifest: BinaryIO, records: list[_Record], sync: bool = True) -> None:
    """Write records, all or none; `sync` them to the disk to outlive a power cut, too."""
    if not records:
        return
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    size = os.fstat(manifest.fileno()).st_size
    try:
        while text:
            text = text[manifest.write(text) :]
        if sync:
            os.fsync(manifest.fileno())
    except OSError as error:
        manifest.truncate(size)
        raise OSError(
            error.errno,
            f"The move was stopped: the list of moves cannot be written "
            f"({os.strerror(error.errno or 0)})",
        ) from error


def _read_manifest(root: str) -> list[_Record]:
    """The manifest as it stands, read without a lock; empty if there is none."""
    path = os.path.join(root, MANIFEST_NAME)
    status = _status(root, MANIFEST_NAME)
    if status is None:
        return []
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path!r} must be a file that simlib wrote; move it away and try again.")
    with open(path, "rb") as manifest:
        return _records(root, manifest.read())


def _parse(root: str, manifest: BinaryIO) -> list[_Record]:
    """The records of the locked manifest; a last line that was cut short is removed from it."""
    manifest.seek(0)
    text = manifest.read()
    whole = text.rfind(b"\n") + 1
    records = _records(root, text)
    manifest.truncate(whole)
    return records


def _records(root: str, text: bytes) -> list[_Record]:
    records = []
    for number, line in enumerate(text.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line)
            if not _is_sound(record):
                raise ValueError
        except (ValueError, RecursionError):  # json's and Unicode's errors are ValueErrors, too
            raise ValueError(
                f"Line {number} of {os.path.join(root, MANIFEST_NAME)!r} is not one that simlib "
                "wrote. Nothing was moved; repair the line, or move the file away to start anew."
            ) from None
        records.append(record)
    return records


def _is_sound(record: Any) -> bool:
    """Whether a line may be acted on: the manifest can come with a downloaded folder."""
    if not isinstance(record, dict):
        return False
    if set(record) == {"from", "to", "inode"}:
        return (
            _is_inside(record["from"])
            and _is_inside(record["to"])
            and "/" not in record["to"]
            and isinstance(record["inode"], int)
        )
    if set(record) == {"folder", "mode"}:
        return _is_inside(record["folder"]) and record["mode"] in range(0o10000)
    return set(record) == {"placeholder"} and _is_inside(record["placeholder"])


def _is_inside(name: Any) -> bool:
    """Whether this is a relative path that cannot lead out of the root, nor to a hidden file."""
    if not isinstance(name, str) or "\0" in name or (os.name == "nt" and set(name) & set("\\:")):
        return False
    return all(part and not part.startswith(".") for part in name.split("/"))
