"""Act on what lies below a folder: never through a symlink, never onto another file.

Each step is taken from the root down, folder by folder, so that a symlink that stands in the place
of a folder (or takes it meanwhile) leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_NO_SUCH_CALL = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_ANCHORED = {os.open, os.mkdir, os.stat, os.link} <= os.supports_dir_fd  # not on Windows
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


class _NotSafely(Exception):
    """The disk has no way to move a file that cannot overwrite another."""


@contextmanager
def entry(root: str, name: str, make: bool = False) -> Iterator[tuple[str, int | None]]:
    """How to call an entry below the root, and the open folder to call it from (``dir_fd``).

    A symlink on the way is an OSError. With ``make``, missing folders on the way are made.
    """
    *folders, last = name.split("/")
    if not _ANCHORED:
        parent = os.path.join(root, *folders)
        if os.path.realpath(parent) != parent:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), parent)
        if make:
            os.makedirs(parent, exist_ok=True)
        yield os.path.join(parent, last), None
        return
    parent_fd = os.open(root, _FOLDER)
    try:
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=parent_fd)
            inner = os.open(folder, _FOLDER, dir_fd=parent_fd)
            os.close(parent_fd)
            parent_fd = inner
        yield last, parent_fd
    finally:
        os.close(parent_fd)


def status_of(root: str, name: str) -> os.stat_result | None:
    try:
        with entry(root, name) as (last, parent):
            return os.stat(last, dir_fd=parent, follow_symlinks=False)
    except OSError:  # not there, or not within reach
        return None


def restore_folder(root: str, name: str, mode: int) -> None:
    """Make a folder again; where that fails, the moves into it will, and say so.

    The mode is only set while the folder is empty: nothing of the user's is opened or closed by it.
    """
    with suppress(OSError), entry(root, f"{name}/.", make=True) as (_, folder):
        if folder is not None and not os.listdir(folder):
            os.fchmod(folder, mode)


def move_file(root: str, source: str, target: str) -> str | None:
    """Move a file within the root, never onto another; None if it was, or why it was not."""
    try:
        with (
            entry(root, source) as (old, old_at),
            entry(root, target, make=True) as (new, new_at),
        ):
            status = os.stat(old, dir_fd=old_at, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                return "not a regular file"
            if os.name == "nt":
                os.rename(old, new)  # there, this fails if the name is taken
                return None
            try:
                os.link(old, new, src_dir_fd=old_at, dst_dir_fd=new_at, follow_symlinks=False)
            except FileExistsError:
                there = os.stat(new, dir_fd=new_at, follow_symlinks=False)
                if not os.path.samestat(status, there) or status.st_nlink < 2:
                    raise  # else an earlier call was cut off here, and the file has both names
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                _rename_to_free_name(old, old_at, new, new_at)
                return None
            try:
                os.unlink(old, dir_fd=old_at)
            except OSError:
                os.unlink(new, dir_fd=new_at)  # the old folder is read-only: as it was
                raise
    except FileExistsError:
        return f"{target!r} exists"
    except _NotSafely:
        return "the disk can neither link it nor rename it safely; copy the folder to another disk"
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return "a symlink or a file stands in its way"
        return "on another disk" if error.errno == errno.EXDEV else os.strerror(error.errno or 0)
    return None


def _rename_to_free_name(old: str, old_at: int | None, new: str, new_at: int | None) -> None:
    """Rename where there are no hard links (FAT); the system itself refuses a name that is taken.

    Python has no call for it: https://man7.org/linux/man-pages/man2/rename.2.html
    """
    import ctypes

    call, flag = ("renameatx_np", 4) if sys.platform == "darwin" else ("renameat2", 1)
    rename = getattr(ctypes.CDLL(None, use_errno=True), call, None)
    if rename is None:
        raise _NotSafely
    if rename(old_at, os.fsencode(old), new_at, os.fsencode(new), flag) != 0:
        code = ctypes.get_errno()
        raise _NotSafely if code in _NO_SUCH_CALL else OSError(code, os.strerror(code))
