"""Downloads over HTTP: a file or an archive arrives complete and checked, or not at all.

Everything that simlib fetches comes this way, except Kaggle's catalogues
(:mod:`simlib.downloads.kaggle`). A download shows its progress, resumes where it was interrupted,
even by a kill, is checked against its hash where one is published, and fails within seconds where
there is no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from simlib.downloads.archives import unpack
from simlib.extras import needs_extra
from simlib.home import home_folder
from simlib.listing import is_image_name
from simlib.progress import progress_bar
from simlib.storage.locks import exclusive

CONNECT_SECONDS = 4
"""Time-out for a connection; after it there is no network."""

SILENCE_SECONDS = 15
"""Time-out between two bytes; after it the connection is broken."""

TRIES = 5
"""Attempts in a row, without a single new byte, after which a download is given up."""

LARGEST_FILE = 8 * 2**30
LARGE = 2**20
"""Size in bytes from which a download shows a progress bar."""

CHUNK = 2**14
"""Bytes read at once. A partial chunk is lost when the connection breaks, so it is small."""

WORTH_ASKING_AGAIN = {408, 429, 500, 502, 503, 504}


def fetch_archive(url: str, name: str, title: str, instead: str, pictures: int = 1) -> Path:
    """Return the folder with the content of an archive, downloading it at the first call.

    Parameters
    ----------
    url : str
        A ``.tar.gz`` or a ``.zip``.
    name : str
        The folder's name below ``SIMLIB_HOME`` (see :func:`simlib.home.home_folder`).
    title, instead : str
        As for :func:`fetch_file`.
    pictures : int, optional
        How many pictures there must be at least.

    Returns
    -------
    pathlib.Path
        The folder. It appears under this name only when it is complete.

    Raises
    ------
    ConnectionError, OSError
        As :func:`fetch_file` does.
    ValueError
        If the archive is damaged or could do harm (see
        :func:`simlib.downloads.archives.unpack`), or holds too few pictures.

    Examples
    --------
    >>> fetch_archive("http://127.0.0.1:9/a.tar.gz", "pictures", "The catalogue", "Draw some.")
    Traceback (most recent call last):
    ConnectionError: The catalogue could not be downloaded from http://127.0.0.1:9/a.tar.gz ...
    """
    folder = home_folder() / name
    if folder.is_dir():
        return folder
    with exclusive(folder, title):
        if folder.is_dir():  # another process was here while we waited
            return folder
        archive, content = home_folder() / f"{name}.archive", home_folder() / f"{name}.unpacking"
        fetch_file(url, archive, title, instead)
        try:
            unpack(archive, content)
            found = sum(is_image_name(path) for path in content.rglob("*") if path.is_file())
            if found < pictures:
                raise ValueError(f"it holds {found:,} pictures instead of {pictures:,}")
        except ValueError as error:
            archive.unlink()  # the next call starts again
            shutil.rmtree(content, ignore_errors=True)
            raise ValueError(f"The archive {url} was not unpacked: {error}. {instead}") from error
        if hasattr(os, "sync"):
            os.sync()  # a power cut must not leave empty files under the final name
        content.rename(folder)
        archive.unlink()
    return folder


def fetch_file(
    url: str,
    path: Path,
    title: str,
    instead: str,
    digest: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Path:
    """Return ``path``, downloading the file where it is not there yet.

    What has arrived is kept in ``path`` + ``.part`` until it is complete: a later call, or another
    process, resumes from there, if the server confirms that its file is unchanged (HTTP's
    ``If-Range``) or a hash will tell.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    path : pathlib.Path
        Where the file goes; its folder is made. A file that is there is returned as it is.
    title : str
        What is downloaded; begins the error message.
    instead : str
        What works without this download; ends the error message.
    digest : str, optional
        What the content must hash to: its SHA-256, or (40 digits) its git blob id, the two that the
        Hugging Face hub publishes. A file that doesn't is deleted.
    headers : mapping, optional
        HTTP headers to send.

    Raises
    ------
    ConnectionError
        If the file can't be downloaded; within five seconds where there is no network.
    OSError
        If it can't be stored.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.bin")
    >>> fetch_file("http://127.0.0.1:9/a.bin", path, "The file", "Do without.")
    Traceback (most recent call last):
    ConnectionError: The file could not be downloaded from http://127.0.0.1:9/a.bin (...). ...
    """
    if path.exists():
        return path
    with exclusive(path, title):
        if not path.exists():
            _fetch(url, path, title, instead, digest, dict(headers or {}))
    return path


def require_network(url: str) -> None:
    """Raise a ConnectionError unless the server of ``url``, or the proxy to it, can be reached.

    Takes ``CONNECT_SECONDS`` at most. A time-out of the HTTP client alone does not do that: it
    starts again for each of a server's addresses, and DNS look-ups have none.

    Examples
    --------
    >>> require_network("http://127.0.0.1:9/")
    Traceback (most recent call last):
    ConnectionError: no connection to 127.0.0.1: ...
    """
    with needs_extra("downloads", "A download"):
        from requests.utils import get_environ_proxies, select_proxy

    server = urlsplit(url)
    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy:
        server = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    port = server.port or (443 if server.scheme == "https" else 80)
    outcome: list[Exception | None] = []

    def connect() -> None:
        try:
            socket.create_connection((server.hostname, port), timeout=CONNECT_SECONDS).close()
            outcome.append(None)
        except Exception as error:  # whatever it is, it is told below
            outcome.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if not outcome:
        raise ConnectionError(f"no connection to {server.hostname} within {CONNECT_SECONDS} s")
    if outcome[0] is not None:
        raise ConnectionError(f"no connection to {server.hostname}: {outcome[0]}")


def require_answer(url: str) -> None:
    """Raise an OSError unless the server of ``url`` can be reached and answers, whatever it says.

    Examples
    --------
    >>> require_answer("http://127.0.0.1:9/")
    Traceback (most recent call last):
    ConnectionError: no connection to 127.0.0.1: ...
    """
    import requests

    require_network(url)
    timeouts = (CONNECT_SECONDS, SILENCE_SECONDS)
    try:
        requests.head(url, timeout=timeouts).close()
    except requests.RequestException as error:
        raise ConnectionError(_why(error)) from error


def in_a_line(error: object) -> str:
    """Return an error's message on one line, without a full stop."""
    said = " ".join(str(error).split()).rstrip(".")
    return said[:300] or type(error).__name__


class _Refused(Exception):
    """The server refuses, and a retry would change nothing."""


class _NoRoom(OSError):
    """The disk, not the network, is the reason."""


def _fetch(
    url: str, path: Path, title: str, instead: str, digest: str | None, headers: dict[str, str]
) -> None:
    with needs_extra("downloads", title):
        from requests import HTTPError

    part = Path(f"{path}.part")
    begun, failures = False, 0
    while True:
        before = _size(part)
        patience = TRIES
        try:
            require_network(url)
            _receive(url, part, headers, title, trust_part=digest is not None)
            if digest is None or _hashes_to(part, digest):
                break
            part.unlink()
            Path(f"{part}.etag").unlink(missing_ok=True)
            reason = "what arrived does not have the hash that the server announced"
            patience = 2  # the part of an earlier run may have been the damaged one
        except _Refused as error:
            reason, patience = in_a_line(error), 0
        except _NoRoom as error:
            raise OSError(
                error.errno,
                f"{title} can't be stored in {path.parent} ({error.strerror}); make room, or name "
                f"another folder with SIMLIB_HOME, and try again. {instead}",
            ) from error
        except OSError as error:  # requests' errors are all kinds of it
            reason = _why(error)
            if not begun and not _size(part) > before:
                # There is no network, or (HTTPError) the server has a bad moment.
                patience = 3 if isinstance(error, HTTPError) else 0
        grown = _size(part) > before
        begun, failures = begun or grown, 0 if grown else failures + 1
        if failures >= patience:
            kept = "; what has arrived is kept" if part.exists() else ""
            raise ConnectionError(
                f"{title} could not be downloaded from {url} ({reason}). Connect to the internet "
                f"and try again{kept}. {instead}"
            )
        time.sleep(min(2.0**failures / 4, 8))
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    Path(f"{part}.etag").unlink(missing_ok=True)


def _why(error: OSError) -> str:
    """Return the reason, shorter than requests puts it."""
    from requests.exceptions import ChunkedEncodingError

    if isinstance(error, ChunkedEncodingError):
        return "the connection broke off"
    if "timed out" in str(error):
        return f"the server fell silent and timed out after {SILENCE_SECONDS} s"
    return in_a_line(error)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(url: str, part: Path, headers: dict[str, str], title: str, trust_part: bool) -> None:
    """Append to ``part`` what it lacks; raise unless it is complete then."""
    import requests

    validator = Path(f"{part}.etag")
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | headers
    if validator.exists():
        headers["If-Range"] = validator.read_text()
    elif not trust_part:
        have = 0
    if have:
        headers["Range"] = f"bytes={have}-"
    timeouts = (CONNECT_SECONDS, SILENCE_SECONDS)
    with requests.get(url, headers=headers, stream=True, timeout=timeouts) as response:
        status = response.status_code
        if status == 416:  # the file ends where ours does, or before: not the same
            if (response.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
                return
            part.unlink(missing_ok=True)
            raise requests.HTTPError("the file on the server has changed")
        if status >= 400:
            kind = requests.HTTPError if status in WORTH_ASKING_AGAIN else _Refused
            raise kind(f"the server answers {status} {response.reason}")
        if status == 206 and have:
            start = (response.headers.get("Content-Range") or "").removeprefix("bytes ")
            if not start.startswith(f"{have}-"):
                raise OSError("the server sent another part of the file than was asked for")
        else:
            have = 0
        etag = response.headers.get("ETag", "")
        if etag and not etag.startswith("W/"):
            validator.write_text(etag)
        else:
            validator.unlink(missing_ok=True)  # nothing vouches for the rest
        length = response.headers.get("Content-Length")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        total = None if length is None or encoded else have + int(length)
        if total is not None:
            _require_room(part, total - have)
        bar = progress_bar(
            title, "B", total, (total or LARGE) >= LARGE, initial=have, unit_scale=True
        )
        with open(part, "ab" if have else "wb") as file, bar:
            for chunk in response.iter_content(CHUNK):
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:
                    raise _NoRoom(error.errno, os.strerror(error.errno or 0)) from error
                have += len(chunk)
                bar.update(len(chunk))
                if have > LARGEST_FILE:
                    _require_room(part, have)
    if total is not None and have != total:
        raise OSError(f"it ended after {have:,} of {total:,} bytes")


def _require_room(part: Path, size: int) -> None:
    import errno

    if size > LARGEST_FILE:
        part.unlink(missing_ok=True)
        raise _Refused(f"it is larger than {LARGEST_FILE:,} bytes")
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise _NoRoom(errno.ENOSPC, f"{size:,} bytes are needed and {free:,} are free")


def _hashes_to(path: Path, digest: str) -> bool:
    """Return whether a file has this SHA-256 (64 digits) or git blob id (40 digits)."""
    found = hashlib.sha256() if len(digest) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(digest) == 40:
        found.update(b"blob %d\0" % path.stat().st_size)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest() == digest
