"""Archives of pictures, downloaded once and unpacked whole or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from simlib.cache import home_folder

TIMEOUT_SECONDS = 5
LARGEST_ARCHIVE = 2 * 2**30
LARGEST_CONTENT = 8 * 2**30


def fetch_archive(url: str, name: str) -> Path:
    """Return the folder with the content of a ``.tar.gz``, downloading it at the first call.

    Parameters
    ----------
    url : str
        The archive.
    name : str
        The folder's name below ``SIMLIB_HOME`` (see :func:`simlib.cache.home_folder`).

    Returns
    -------
    pathlib.Path
        The folder. It appears under this name only when it is complete.

    Raises
    ------
    ConnectionError
        If the archive can't be downloaded; an unreachable host is given up after 5 seconds.
    ValueError
        If the archive is damaged, holds anything but plain files and folders below its root, or
        would unpack to more than 8 GiB.

    Examples
    --------
    >>> fetch_archive("http://127.0.0.1:9/pictures.tar.gz", "pictures")
    Traceback (most recent call last):
    ConnectionError: http://127.0.0.1:9/pictures.tar.gz could not be downloaded ...
    """
    folder = home_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that one rename finishes the job.
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as temporary:
        archive, content = Path(temporary, "archive.tar.gz"), Path(temporary, "content")
        _download(url, archive)
        _unpack(archive, content, url)
        try:
            content.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was here first
                raise
    return folder


def _download(url: str, target: Path) -> None:
    from tqdm.auto import tqdm

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            size = int(response.headers.get("Content-Length") or 0)
            with (
                open(target, "wb") as file,
                tqdm(total=size or None, unit="B", unit_scale=True, desc=target.name) as bar,
            ):
                while chunk := response.read(1 << 20):
                    file.write(chunk)
                    bar.update(len(chunk))
                    if file.tell() > LARGEST_ARCHIVE:
                        raise ConnectionError(f"it is larger than {LARGEST_ARCHIVE:,} bytes")
            if size and target.stat().st_size != size:
                raise ConnectionError(f"it ended after {target.stat().st_size:,} of {size:,} bytes")
    except OSError as error:  # urllib's errors and time-outs are all kinds of it
        raise ConnectionError(
            f"{url} could not be downloaded ({error}). Connect to the internet and try again; "
            "load_catalogue('sample') works offline."
        ) from error


def _unpack(archive: Path, content: Path, url: str) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            seen: set[str] = set()
            size = 0
            for member in tar:
                size += member.size
                if size > LARGEST_CONTENT:
                    raise ValueError(f"it unpacks to more than {LARGEST_CONTENT:,} bytes")
                if not (member.isfile() or member.isdir()):
                    raise ValueError(f"{member.name!r} is neither a file nor a folder")
                if member.isfile() and os.path.normpath(member.name) in seen:
                    raise ValueError(f"{member.name!r} stands in it twice")
                seen.add(os.path.normpath(member.name))
                # The filter refuses absolute paths and those that lead out of the folder.
                tar.extract(member, content, filter="data")
    except (tarfile.TarError, ValueError, EOFError, OSError) as error:
        if isinstance(error, OSError) and shutil.disk_usage(content.parent).free < 2**20:
            raise
        raise ValueError(f"The archive {url} can't be unpacked safely: {error}.") from error
