"""Catalogues from Kaggle, by its own client kagglehub, which keeps up with Kaggle's ways.

kagglehub shows progress, resumes, and checks the hash that Kaggle sends. What it leaves open is
added here: its requests wait for ever where a network goes silent, it unpacks whatever comes, and
it asks the network also for what it has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from simlib.downloads.archives import unpack
from simlib.downloads.http import (
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    in_a_line,
    only_here,
    require_network,
)
from simlib.extras import MissingExtraError, needs_extra
from simlib.home import home_folder

TOKEN_STEPS = (
    "Kaggle wants to know who asks: (1) sign in at https://www.kaggle.com and open "
    "https://www.kaggle.com/settings/api, (2) choose “Generate New Token” and save it as the file "
    "~/.kaggle/access_token, or in the environment variable KAGGLE_API_TOKEN, (3) try again."
)


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
        The folder of the newest version that is whole here; kagglehub's cache, which lies in
        ``SIMLIB_HOME`` unless ``KAGGLEHUB_CACHE`` names another place.

    Raises
    ------
    ConnectionError
        If it can't be had; where Kaggle asks for a token, with the steps to get one.
    ValueError
        If what came is damaged or could do harm (see :func:`simlib.downloads.archives.unpack`).

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
        if (whole := _newest_whole(folder / "datasets" / dataset)) is not None:
            return whole
    with only_here(cache / dataset.replace("/", "--"), title):
        if (whole := _newest_whole(cache / "datasets" / dataset)) is not None:
            return whole
        try:
            with _careful_client(cache) as (client, endpoint):
                if endpoint is not None:
                    require_network(endpoint)
                return Path(client.dataset_download(dataset))
        except MissingExtraError:
            raise
        except Exception as error:  # what its HTTP client raises, and types of its own
            arrived = list((cache / "datasets" / dataset).glob("*.archive"))
            if isinstance(error, ValueError) and not isinstance(error, OSError):
                for archive in arrived:
                    archive.unlink()  # the next call begins anew
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


def _newest_whole(folder: Path) -> Path | None:
    """Return the newest version that kagglehub marked as complete."""
    versions = [int(marker.stem) for marker in folder.glob("*.complete") if marker.stem.isdecimal()]
    for version in sorted(versions, reverse=True):
        if (folder / "versions" / str(version)).is_dir():
            return folder / "versions" / str(version)
    return None


@contextmanager
def _careful_client(cache: Path) -> Iterator[tuple[ModuleType, str | None]]:
    """Give kagglehub, with time-outs and our way to unpack, and the address that it will ask.

    On Kaggle's own computers it asks none: there the data are mounted.
    """
    with needs_extra("downloads", "A download from Kaggle"):
        import kagglehub
        from kagglehub import http_resolver
        from kagglesdk.kaggle_env import get_endpoint, get_env, is_in_kaggle_notebook
        from kagglesdk.kaggle_http_client import KaggleHttpClient
        from requests.adapters import HTTPAdapter

    class Impatient(HTTPAdapter):
        def send(self, request, stream=False, timeout=None, **options):
            timeout = timeout or (CONNECT_SECONDS, SILENCE_SECONDS)
            return super().send(request, stream, timeout, **options)

    begin = getattr(KaggleHttpClient, "_init_session", None)

    def begin_with_timeouts(client):
        begin(client)
        for scheme in ("http://", "https://"):
            client._session.mount(scheme, Impatient())

    with (
        _replaced(KaggleHttpClient, "_init_session", begin_with_timeouts),
        _replaced(http_resolver, "_extract_archive", unpack),
        _environment(KAGGLEHUB_CACHE=str(cache)),
    ):
        yield kagglehub, None if is_in_kaggle_notebook() else get_endpoint(get_env())


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Replace what kagglehub has under this name; a version that has no such thing goes without."""
    if not hasattr(owner, name):
        yield
        return
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
