"""Published weights from the Hugging Face hub, downloaded once.

huggingface_hub lists the files; :mod:`simlib.downloads.http` fetches them. (As of version 2.4 the
client's own download starts again after a kill, compares sizes but no hashes, and retries for over
a minute where there is no hub.) What the hub's own cache holds already is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from simlib.downloads.http import fetch_file, in_a_line, require_network
from simlib.downloads.model_folder import (
    OPEN_CLIP_SETTINGS,
    OPEN_CLIP_WEIGHTS,
    is_model_file,
    is_open_clip_file,
)
from simlib.extras import MissingExtraError
from simlib.home import home_folder
from simlib.storage.locks import exclusive

INSTEAD = (
    "Or use weights='compact' of 'towhee', 'simclr' or 'clip', which works offline; or, where they "
    "lie on another computer, copy them from there and give their path as weights=."
)
ANSWER_SECONDS = 5


class _HubFile(NamedTuple):
    name: str
    url: str
    digest: str | None
    """Its SHA-256 or, of small files, its git blob id."""


def hub_file(repo_id: str, filename: str) -> Path:
    """Return the local copy of a file on the Hugging Face hub, downloading it at the first call.

    Raises
    ------
    ConnectionError
        If the file is not on this computer and can't be downloaded.

    Examples
    --------
    >>> import huggingface_hub.constants as constants
    >>> constants.HF_HUB_OFFLINE = True
    >>> hub_file("nobody/nothing", "model.safetensors")
    Traceback (most recent call last):
    ConnectionError: The published weights nobody/nothing are not on this computer ...
    >>> constants.HF_HUB_OFFLINE = False
    """
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repo_id, filename)
    if isinstance(cached, str):
        return Path(cached)
    path = home_folder() / "weights" / _one_name(repo_id) / filename
    if not path.exists():
        _fetch(repo_id, path.parent, lambda name: name == filename)
    return path


def hub_folder(repo_id: str) -> Path:
    """Return a folder with the model of a repository on the hub, downloading it at the first call.

    Only weights that are safetensors, settings and vocabularies are fetched, never a pickle or a
    program (:func:`simlib.downloads.model_folder.is_model_file`).

    Raises
    ------
    ConnectionError
        If the model is not on this computer and can't be downloaded.

    Examples
    --------
    >>> import huggingface_hub.constants as constants
    >>> constants.HF_HUB_OFFLINE = True
    >>> hub_folder("nobody/nothing")
    Traceback (most recent call last):
    ConnectionError: The published weights nobody/nothing are not on this computer ...
    >>> constants.HF_HUB_OFFLINE = False
    """
    folder = home_folder() / "models" / _one_name(repo_id)
    if folder.is_dir():
        return folder
    with exclusive(folder, _title(repo_id)):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            _fetch(repo_id, unfinished, _is_part_of_a_model)
            os.replace(unfinished, folder)
    return folder


def open_clip_folder(repo_id: str, before: Callable[[], object] = lambda: None) -> Path | None:
    """Return a folder with the model of a repository in open_clip's format, as hub_folder does.

    Parameters
    ----------
    repo_id : str
    before : callable, optional
        Called before a download begins, such as to raise if the model could not be opened.

    Returns
    -------
    pathlib.Path or None
        None if the repository is not in that format, which its ``open_clip_config.json`` tells.

    Raises
    ------
    ConnectionError
        If the model is not on this computer and can't be downloaded.
    ValueError
        If its weights are published as a pickle only.
    """
    folder = home_folder() / "models" / f"{_one_name(repo_id)}.open-clip"
    if folder.is_dir():
        return folder
    names = [file.name for file in _listed(repo_id)[1]]
    if OPEN_CLIP_SETTINGS not in names:
        return None
    if OPEN_CLIP_WEIGHTS not in names:
        raise ValueError(
            f"The model {repo_id} was not downloaded: it has no {OPEN_CLIP_WEIGHTS!r}, and weights "
            "that are a pickle are never opened. Look on the hub for a copy with safetensors."
        )
    before()
    with exclusive(folder, _title(repo_id)):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            _fetch(repo_id, unfinished, is_open_clip_file)
            os.replace(unfinished, folder)
    return folder


def cached_folder(repo_id: str) -> Path | None:
    """Return where the hub's own cache holds a repository, perhaps in part, or None.

    Examples
    --------
    >>> cached_folder("nobody/nothing") is None
    True
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo_id, local_files_only=True))
    except (OSError, ValueError):  # not there, or no name for a repository
        return None


def _one_name(repo_id: str) -> str:
    return repo_id.replace("/", "--")


def _title(repo_id: str) -> str:
    return f"The model {repo_id}"


def _is_part_of_a_model(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return (
        is_model_file(file)
        and file != OPEN_CLIP_SETTINGS
        and not folder.startswith((".", "onnx", "openvino"))
    )


def _fetch(repo_id: str, folder: Path, is_wanted: Callable[[str], bool]) -> None:
    """Download files of a repository's newest commit into a folder."""
    from huggingface_hub.utils import build_hf_headers

    commit, files = _listed(repo_id)
    files = [file for file in files if is_wanted(file.name)]
    if not files:
        raise ConnectionError(f"{_missing(repo_id)} (it has no such file). {INSTEAD}")
    note = folder / "commit"
    if note.exists() and note.read_text().strip() != commit:
        shutil.rmtree(folder)  # begun when the model was another one
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{commit}\n")
    for file in files:
        fetch_file(
            file.url, folder.joinpath(*file.name.split("/")), _title(repo_id), INSTEAD,
            file.digest, build_hf_headers(),
        )  # fmt: skip


def _listed(repo_id: str) -> tuple[str | None, list[_HubFile]]:
    """Return the newest commit of a repository and its files."""
    from huggingface_hub import HfApi, constants, hf_hub_url

    reason: object = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        endpoint = constants.ENDPOINT
        try:
            require_network(endpoint)
            api = HfApi(endpoint=endpoint)
            info = api.model_info(repo_id, files_metadata=True, timeout=ANSWER_SECONDS)
        except MissingExtraError:
            raise
        except Exception as error:  # whatever its HTTP client raises, which differs by version
            reason = f"{type(error).__name__}: {in_a_line(error)}"
        else:
            return info.sha, [
                _HubFile(
                    file.rfilename,
                    hf_hub_url(repo_id, file.rfilename, revision=info.sha, endpoint=endpoint),
                    file.lfs.sha256 if file.lfs else file.blob_id,
                )
                for file in info.siblings or []
                if ".." not in file.rfilename.split("/") and not file.rfilename.startswith("/")
            ]
    raise ConnectionError(
        f"{_missing(repo_id)} ({reason}). Connect to the internet once and check the name. "
        f"{INSTEAD}"
    )


def _missing(repo_id: str) -> str:
    return f"The published weights {repo_id} are not on this computer and could not be downloaded"
