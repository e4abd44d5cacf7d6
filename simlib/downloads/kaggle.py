"""Catalogues from Kaggle, by its own client kagglehub.

kagglehub shows progress, resumes, checks the hash that Kaggle sends and marks what is complete.
Around its one public call: nothing is asked where the data set is here already, a network that is
not there is noticed within seconds, and what was unpacked is checked before it is used.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simlib.downloads.archives import NAME_ERRORS, require_harmless
from simlib.downloads.http import in_a_line, require_answer
from simlib.extras import MissingExtraError, needs_extra
from simlib.home import home_folder
from simlib.storage.locks import exclusive

TOKEN_STEPS = (
    "Kaggle wants to know who asks: (1) sign in at https://www.kaggle.com and open "
    "https://www.kaggle.com/settings/api, (2) choose “Generate New Token” and save it as the file "
    "~/.kaggle/access_token, or in the environment variable KAGGLE_API_TOKEN, (3) try again."
)
DAMAGED = (ValueError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile,
           zlib.error)  # fmt: skip
CANNOT_STORE = {errno.ENOSPC, errno.EROFS, errno.EACCES}


def fetch_kaggle(dataset: str, title: str, instead: str) -> Path:
    """Return the folder of a Kaggle data set, downloading it at the first call.

    Parameters
    ----------
    dataset : str
        ``owner/name``.
    title, instead : str
        As for :func:`simlib.downloads.http.fetch_file`.

    Returns
    -------
    pathlib.Path
        The folder of the newest version that is complete here; kagglehub's cache, which lies in
        ``SIMLIB_HOME`` unless ``KAGGLEHUB_CACHE`` names another place.

    Raises
    ------
    ConnectionError
        If it can't be downloaded; where Kaggle asks for a token, with the steps to get one.
    ValueError
        If what came is damaged, too large, or more than files and folders.

    Examples
    --------
    >>> import os
    >>> os.environ["KAGGLE_API_ENVIRONMENT"] = "LOCALHOST"  # where no Kaggle is
    >>> fetch_kaggle("nobody/nothing", "The catalogue", "Draw one.")
    Traceback (most recent call last):
    ConnectionError: The catalogue could not be downloaded from Kaggle (...). ... Draw one.
    >>> del os.environ["KAGGLE_API_ENVIRONMENT"]
    """
    usual = Path.home() / ".cache" / "kagglehub"
    cache = Path(os.environ.get("KAGGLEHUB_CACHE") or home_folder() / "kaggle")
    for folder in (cache, usual):
        if (complete := _newest_complete(folder / "datasets" / dataset)) is not None:
            return complete
    here = cache / "datasets" / dataset
    with exclusive(here, title):
        if (complete := _newest_complete(here)) is not None:
            return complete
        try:
            with _kagglehub_cache(cache):
                folder = _download(dataset)
            require_harmless(folder)
        except MissingExtraError:
            raise
        except Exception as error:  # what its HTTP client raises, and types of its own
            _remove_what_is_unpacked(here)
            arrived = list(here.glob("*.archive"))
            system = error.errno if isinstance(error, OSError) else None
            if system in CANNOT_STORE:
                raise OSError(
                    system,
                    f"{title} can't be stored in {here} ({os.strerror(system)}); make room, or "
                    f"name another folder with SIMLIB_HOME. {instead}",
                ) from error
            if system in NAME_ERRORS or (
                isinstance(error, DAMAGED) and not isinstance(error, OSError)
            ):
                for archive in arrived:
                    archive.unlink()  # the next call starts again
                raise ValueError(
                    f"{title} came from Kaggle damaged: {in_a_line(error)}. {instead}"
                ) from error
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in (401, 403):
                steps = TOKEN_STEPS
            else:
                kept = "; what has arrived is kept" if arrived else ""
                steps = f"Connect to the internet and try again{kept}."
            raise ConnectionError(
                f"{title} could not be downloaded from Kaggle ({in_a_line(error)}). {steps} "
                f"{instead}"
            ) from error
        return folder


def _download(dataset: str) -> Path:
    with needs_extra("downloads", "A download from Kaggle"):
        import kagglehub
        from kagglesdk.kaggle_env import get_endpoint, get_env, is_in_kaggle_notebook

    if not is_in_kaggle_notebook():  # on Kaggle's own computers the data are mounted
        require_answer(get_endpoint(get_env()))
    return Path(kagglehub.dataset_download(dataset))


def _newest_complete(folder: Path) -> Path | None:
    """Return the newest version that kagglehub marked as complete."""
    versions = [int(marker.stem) for marker in folder.glob("*.complete") if marker.stem.isdecimal()]
    for version in sorted(versions, reverse=True):
        if (folder / "versions" / str(version)).is_dir():
            return folder / "versions" / str(version)
    return None


def _remove_what_is_unpacked(folder: Path) -> None:
    """Remove the versions of a data set, none of which was found good, and their marks."""
    shutil.rmtree(folder / "versions", ignore_errors=True)
    for marker in folder.glob("*.complete"):
        marker.unlink()


@contextmanager
def _kagglehub_cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("KAGGLEHUB_CACHE")
    os.environ["KAGGLEHUB_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KAGGLEHUB_CACHE"]
        else:
            os.environ["KAGGLEHUB_CACHE"] = before
