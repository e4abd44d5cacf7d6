"""Any image-text model that is published on the Hugging Face hub, by name or as a folder.

Two formats are read: that of sentence-transformers and transformers (CLIP, SigLIP, SigLIP 2), and
that of open_clip (MobileCLIP, Marqo's, LAION's), which an ``open_clip_config.json`` marks.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.downloads.hub import cached_folder, hub_folder, open_clip_folder
from simlib.downloads.model_folder import (
    OPEN_CLIP_SETTINGS,
    is_model_file,
    is_open_clip_file,
    require_safe_model,
    require_safe_open_clip,
)
from simlib.encoders.base import TextEncoder, WeightedEncoder
from simlib.encoders.clip import TEXTS_AT_ONCE, ClipEncoder, as_texts, printable, warn_of_unread
from simlib.networks.device import choose_device
from simlib.networks.inference import load_network
from simlib.networks.open_clip_network import open_open_clip, require_open_clip
from simlib.storage.hashing import sha256_of


class HubEncoder(WeightedEncoder, TextEncoder):
    """Embeds pictures and texts in one space with a model that others have published.

    All embeddings have length 1. SigLIP reads texts in lower case, padded to their full length, as
    it was trained.

    Parameters
    ----------
    model : str
        The model's name on the Hugging Face hub, such as ``"google/siglip2-base-patch16-224"`` or
        ``"Marqo/marqo-fashionSigLIP"``, or a folder's path.
    weights : str or path
        ``"published"`` (or ``"compact"``, the default of :func:`simlib.load_encoder`): downloaded
        once. Or a folder with the files of that model: name and column stay those of the model.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, or ``"bfloat16"`` for pictures. Texts are always read in float32.
    backend : str, optional
        ``"openvino"`` to convert the network, which not every one allows; torch runs it otherwise.

    Raises
    ------
    FileNotFoundError
        If ``model`` or ``weights`` is a path and nothing is there.
    ConnectionError
        If the model is neither on this computer nor within reach.
    ValueError
        If the model could run code, can't be opened, or doesn't read both pictures and text.
    ImportError
        If a package that the model needs is missing.

    Examples
    --------
    >>> HubEncoder("./no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: There is no model folder ./no/such/folder. ...
    """

    checks_cache = False  # the recipe holds the hash of the weights

    def __init__(
        self,
        model: str,
        weights: str | os.PathLike[str] = "published",
        device: str | None = None,
        precision: str = "float32",
        backend: str | None = None,
    ) -> None:
        source = model if weights in ("published", "compact") else os.fspath(weights)
        folder = _folder_of(source)
        name = Path(model).expanduser().resolve().name if _is_path(model) else model
        self.name = f"hf:{name}"
        self.column = f"hf_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}_embedding"
        self._towers: ClipEncoder | _OpenClipTowers
        if (folder / OPEN_CLIP_SETTINGS).is_file():
            self._towers = _OpenClipTowers(folder, device, precision, backend)
        else:
            self._towers = ClipEncoder(folder, device, precision, backend)
        self.dim = self._towers.dim
        self.backend = self._towers.backend
        self.recipe = f"hf {_digest_of_model(folder)} {self.backend.rpartition(' ')[2]}"

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return a picture as the network reads it, float32 ``(3, height, width)``."""
        return self._towers.prepare(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)`` of length 1, of prepared pictures."""
        return _of_length_1(self._towers.encode_prepared(batch))

    def encode_text(self, texts: str | Iterable[str]) -> np.ndarray:
        """Return the embeddings of some texts, float32 ``(n, dim)`` of length 1.

        They lie in the same space as those of pictures. What exceeds the model's limit (64 word
        pieces for SigLIP, 77 for CLIP) is left unread, with a warning.

        Raises
        ------
        TypeError
            If something among them is not a ``str``.
        ValueError
            If a text is empty.
        """
        return _of_length_1(self._towers.encode_text(as_texts(texts)))


class _OpenClipTowers:
    """What reads pictures and texts in a folder of open_clip's format."""

    def __init__(
        self, folder: Path, device: str | None, precision: str, backend: str | None
    ) -> None:
        self._device = choose_device(device)
        self._opened = open_open_clip(folder)
        self._opened.model.to(self._device)
        blank = self.prepare(Image.new("RGB", (8, 8)))
        self._pictures = load_network(
            "open-clip",
            _digest_of_model(folder),
            # In another precision it is a network of its own: the texts need this one as it is.
            lambda: (
                self._opened.model.visual
                if precision == "float32"
                else copy.deepcopy(self._opened.model.visual)
            ),
            blank,
            self._device,
            precision,
            backend or "torch",
        )
        self.backend = self._pictures.backend
        self.dim = int(self._pictures(blank[np.newaxis]).shape[1])
        text_dim = self.encode_text(["a picture"]).shape[1]
        if text_dim != self.dim:
            raise ValueError(
                f"The model {folder} gives {self.dim} values for a picture but {text_dim} for a "
                "text; words can't be compared with its pictures."
            )

    def prepare(self, image: Image.Image) -> np.ndarray:
        return self._opened.prepare(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        return self._pictures(batch)

    def encode_text(self, texts: list[str]) -> np.ndarray:
        import torch

        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        rows = []
        warn_of_unread(texts, self._opened.limit, self._opened.count_pieces, stacklevel=4)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = [printable(text) for text in texts[start : start + TEXTS_AT_ONCE]]
            pieces = self._opened.tokenize(batch).to(self._device)
            with torch.inference_mode():
                rows.append(self._opened.model.encode_text(pieces).float().cpu().numpy())
        return np.concatenate(rows)


def _is_path(name: str) -> bool:
    path = Path(name).expanduser()
    named_like_one = name.startswith((".", "~")) or name.count("/") > 1 or "\\" in name
    return path.is_dir() or path.is_absolute() or named_like_one


def _folder_of(source: str) -> Path:
    """Return where a model lies: the folder itself, the hub's own cache, or ours, downloaded."""
    if _is_path(source):
        path = Path(source).expanduser()
        if path.is_dir():
            return path
        raise FileNotFoundError(
            f"There is no model folder {source}. Expected is a name on the Hugging Face hub, "
            "'hf:owner/name', or a folder with a model's files."
        )
    if "/" not in source:
        source = f"sentence-transformers/{source}"
    cached = cached_folder(source)
    if cached is not None:
        is_open_clip = (cached / OPEN_CLIP_SETTINGS).is_file()
        with suppress(ValueError):  # incomplete, or with more in it than simlib would fetch
            (require_safe_open_clip if is_open_clip else require_safe_model)(cached)
            return cached
    folder = open_clip_folder(source, before=lambda: require_open_clip(f"The encoder hf:{source}"))
    return hub_folder(source) if folder is None else folder


def _digest_of_model(folder: Path) -> str:
    """Return the SHA-256 of all files that make a model: weights, settings and vocabularies."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (is_model_file(path.name) or is_open_clip_file(path.name)):
            digest.update(f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _of_length_1(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
