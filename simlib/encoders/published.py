"""Published weights, fetched from the Hugging Face hub once and found in its cache ever after."""

from __future__ import annotations

from pathlib import Path


def hub_file(repo_id: str, filename: str) -> Path:
    """Return the local copy of a file on the Hugging Face hub, downloading it at the first call.

    huggingface_hub does the work: it shows progress, resumes, and checks what it received. The one
    thing added is a quick end without a network, where the client alone retries for over a minute.

    Raises
    ------
    ConnectionError
        If the file is not in the cache and the hub can't be reached.

    Examples
    --------
    >>> import huggingface_hub.constants as constants
    >>> constants.HF_HUB_OFFLINE = True
    >>> hub_file("nobody/nothing", "model.safetensors")
    Traceback (most recent call last):
    ConnectionError: The published weights nobody/nothing are not on this computer ...
    >>> constants.HF_HUB_OFFLINE = False
    """
    import httpx
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repo_id, filename)
    if isinstance(cached, str):
        return Path(cached)
    reason: object = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            httpx.head(constants.ENDPOINT, timeout=5)
            return Path(hf_hub_download(repo_id, filename))
        except (OSError, httpx.HTTPError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
    raise ConnectionError(
        f"The published weights {repo_id} are not on this computer and could not be downloaded "
        f"({reason}). Connect to the internet once, or use weights='compact', which works offline."
    )
