"""Unpack archives from untrusted sources safely.

An archive says where its files go and how large they are, and may lie about both. Refused are
names that lead out of the folder, links and devices, a name that stands twice, more than is allowed
for in number or size, and headers that would fill the memory.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LARGEST_CONTENT = 8 * 2**30
MOST_MEMBERS = 500_000
LARGEST_HEADER = 2**20
"""The longest stretch (in bytes) that is read at once: longer names than that are an attack."""

NAME_ERRORS = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ,
                  errno.EINVAL}  # fmt: skip


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a ``.tar.gz`` or ``.zip`` into a new folder, all of it or nothing.

    Parameters
    ----------
    archive : str or path
        What it is, its content says.
    folder : str or path
        What stands there is replaced. Where the archive is refused, nothing is left of it.

    Raises
    ------
    ValueError
        If the archive is damaged or could do harm; the message says in which way.
    OSError
        If the disk is full or can't be written.

    Examples
    --------
    >>> import tempfile
    >>> work = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(work / "a.zip", "w") as file:
    ...     file.writestr("red/1.txt", "a shoe")
    >>> unpack(work / "a.zip", work / "new")
    >>> (work / "new" / "red" / "1.txt").read_text()
    'a shoe'
    """
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with open(archive, "rb") as file:
            members = _of_tar if file.read(2) == b"\x1f\x8b" else _of_zip
        room = shutil.disk_usage(folder).free
        written = 0
        for count, (name, size, content) in enumerate(members(Path(archive)), start=1):
            if count > MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS:,} members")
            if written + size > LARGEST_CONTENT:
                raise ValueError(f"it unpacks to more than {LARGEST_CONTENT:,} bytes")
            if written + size > room:
                needed = written + size
                raise OSError(errno.ENOSPC, f"The disk has no room for the {needed:,} bytes of it")
            target = _inside(folder, name)
            if content is None:
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                written += _write(content, target, name, LARGEST_CONTENT - written)
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, ValueError,
        NotImplementedError, RuntimeError, UnicodeError,
    ) as error:  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in NAME_ERRORS:
            raise ValueError(f"a name in it can't be used here ({error.strerror})") from error
        raise


def require_harmless(folder: Path) -> None:
    """Raise a ValueError unless a folder that another unpacked holds only files, not too many.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "link.jpg").symlink_to("/etc/passwd")
    >>> require_harmless(folder)
    Traceback (most recent call last):
    ValueError: 'link.jpg' is neither a file nor a folder
    """
    count = size = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        count, size = count + 1, size + status.st_size
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            name = path.relative_to(folder).as_posix()
            raise ValueError(f"{name!r} is neither a file nor a folder")
        if count > MOST_MEMBERS:
            raise ValueError(f"it has more than {MOST_MEMBERS:,} members")
        if size > LARGEST_CONTENT:
            raise ValueError(f"it unpacks to more than {LARGEST_CONTENT:,} bytes")


def _inside(folder: Path, name: str) -> Path:
    """Return where a member goes."""
    parts = name.replace("\\", "/").split("/")
    drive = os.name == "nt" and ":" in name
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or drive:
        raise ValueError(f"{name[:200]!r} leads outside the folder")
    return folder.joinpath(*[part for part in parts if part not in ("", ".")])


def _write(content: IO[bytes], target: Path, name: str, most: int) -> int:
    """Write a member to a file that must not be there yet; return its size."""
    size = 0
    try:
        with open(target, "xb") as file:
            while chunk := content.read(1 << 16):
                size += len(chunk)
                if size > most:
                    raise ValueError(f"it unpacks to more than {LARGEST_CONTENT:,} bytes")
                file.write(chunk)
    except FileExistsError:  # also where the disk takes two names for one
        raise ValueError(f"{name!r} stands in it twice") from None
    return size


def _of_zip(archive: Path) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{member.filename!r} is neither a file nor a folder")
            if member.is_dir():
                yield member.filename, 0, None
            else:
                with file.open(member) as content:
                    yield member.filename, member.file_size, content


def _of_tar(archive: Path) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    # tarfile reads a header of any length into memory, so it reads through a guard.
    with open(archive, "rb") as raw, gzip.GzipFile(fileobj=raw) as unzipped:
        with tarfile.open(fileobj=_Guarded(unzipped), mode="r:") as tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise ValueError(f"{member.name!r} is neither a file nor a folder")
                yield member.name, member.size, tar.extractfile(member) if member.isfile() else None
        # tarfile stops where the archive says that it ends; gzip's checksum stands behind that.
        while unzipped.tell() <= LARGEST_CONTENT and unzipped.read(1 << 16):
            pass


class _Guarded(io.BufferedIOBase):
    """A file of which nobody can read much at once."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        if not 0 <= size <= LARGEST_HEADER:
            raise ValueError(f"it has a header of {size:,} bytes")
        return self._file.read(size)

    def seek(self, place: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and place > LARGEST_CONTENT + 2 * MOST_MEMBERS * 512:
            raise ValueError(f"it unpacks to more than {LARGEST_CONTENT:,} bytes")
        return self._file.seek(place, whence)
