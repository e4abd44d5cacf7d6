"""Strategy 4: one space for pictures and words, through sentence-transformers.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision"
(CLIP, https://arxiv.org/abs/2103.00020). How the compact model is put together stands in
:mod:`simlib.networks.clip_compact`.
"""

from __future__ import annotations

import copy
import os
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simlib.downloads.hub import cached_folder, hub_folder
from simlib.downloads.model_folder import require_safe_model
from simlib.encoders.base import TextEncoder, WeightedEncoder
from simlib.extras import needs_extra
from simlib.images import with_shorter_side
from simlib.networks import clip_compact
from simlib.networks.clip_compact import RECIPE, compact_folder, quiet_transformers
from simlib.networks.clip_multilingual import (
    LANGUAGES,
    TEXT_RECIPE,
    are_foreign,
    multilingual_folder,
)
from simlib.networks.device import choose_device
from simlib.networks.inference import load_network

__all__ = ["ClipEncoder"]

PUBLISHED = "clip-ViT-B-32"
# A model that reads only text, and the model whose pictures share its space.
# https://sbert.net/docs/sentence_transformer/pretrained_models.html#multimodal-models
PICTURES_FOR = {"clip-ViT-B-32-multilingual-v1": "clip-ViT-B-32"}
TEXTS_AT_ONCE = 32


class ClipEncoder(WeightedEncoder, TextEncoder):
    """Embeds pictures and texts in one space, so that words find pictures.

    Parameters
    ----------
    weights : str or os.PathLike
        ``"compact"``: a small model of our own that works offline (384 values; English only; its
        card is in ``data/README.md``). ``"multilingual"``: the same pictures, embedded the same,
        and texts in many languages, offline too (the extra ``multilingual``). ``"published"``:
        OpenAI's CLIP as the tutorial uses it, ``SentenceTransformer("clip-ViT-B-32")`` (512
        values), downloaded once.
        ``"clip-ViT-B-32-multilingual-v1"``: the same pictures, texts in 50 languages. Or any other
        name or folder that sentence-transformers opens as a model of pictures and text.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, or ``"bfloat16"`` for pictures: faster where the processor has it, and less
        exact. ``"float16"`` on GPUs. Texts are always read in float32.
    backend : str, optional
        ``"torch"`` to have torch read pictures where OpenVINO would: with the compact model, on a
        CPU, where the package openvino is installed.

    Raises
    ------
    FileNotFoundError
        If ``weights`` is a path and nothing is there, or the compact weights are missing.
    ConnectionError
        If the model is not on this computer and can't be downloaded.
    ValueError
        If the model doesn't read both pictures and text, or the compact weights are damaged.
    ImportError
        If a package that the model needs is missing.

    Examples
    --------
    >>> encoder = ClipEncoder(device="cpu")
    >>> encoder.encode([Image.new("RGB", (30, 40), "red")]).shape
    (1, 384)
    >>> encoder.encode_text(["a red dress", "shoes.jpg"]).shape  # text is never opened as a file
    (2, 384)
    """

    name = "clip"
    dim: int
    model_name_or_path: str
    """What ``SentenceTransformer(…)`` opens as this model: its folder, or its name on the hub."""
    column = "clip_img_embedding"
    checks_cache = False  # the recipe holds the hash of the weights
    _of_pictures: Callable[[], Any]
    _of_texts: Callable[[], Any]

    def __init__(
        self,
        weights: str | os.PathLike[str] = "compact",
        device: str | None = None,
        precision: str = "float32",
        backend: str | None = None,
    ) -> None:
        self._device = choose_device(device)
        self._is_compact = weights in ("compact", "multilingual")
        self._reads_only_english = weights == "compact"
        self.tells_certainty = weights == "multilingual"
        if self._is_compact:
            _require_installed("sentence_transformers", "timm")
            # Its folder before the pictures', since a package may be missing.
            if weights == "multilingual":
                multilingual_folder()
                self.text_recipe, self.languages = TEXT_RECIPE, LANGUAGES
            self.model_name_or_path = str(compact_folder())
            self._of_pictures = self._of_texts = _OpenedOnce(compact_folder, self._device)
            if weights == "multilingual":
                self._of_texts = _OpenedOnce(multilingual_folder, self._device)
            self.recipe = RECIPE  # both embed pictures alike
        else:
            known = PUBLISHED if weights == "published" else os.fspath(weights)
            pictures = PICTURES_FOR.get(known.removeprefix("sentence-transformers/"), known)
            self.model_name_or_path = pictures
            opened = open_model(pictures, self._device)
            self._of_pictures = self._of_texts = lambda: opened
            if pictures != known:
                reader = open_model(known, self._device)
                self._of_texts = lambda: reader
                self.text_recipe = f"sentence-transformers {known} {_state_of(self._texts)}"
            self.recipe = f"clip sentence-transformers {pictures} {_state_of(self.model)} float32"
            _require_both(self.model, self._texts, os.fspath(weights))
            if backend is None:
                backend = "torch"  # not every model can be converted
        with ExitStack() as until_converted:

            def build():
                if self._is_compact:
                    return clip_compact.picture_reader()
                # The networks of transformers have notes of their own on being converted.
                until_converted.enter_context(quiet_transformers())
                return _picture_reader(self.model, precision)

            self._pictures = load_network(
                "clip",
                f"{self.recipe} by itself" if self._is_compact else self.recipe,
                build,
                self.prepare(Image.new("RGB", (8, 8))),
                self._device,
                precision,
                backend,
            )
        self.backend = self._pictures.backend
        if self._pictures.precision != "float32":
            self.recipe += f" {self._pictures.precision}"
        if self._is_compact:
            self.dim = clip_compact.DIM
            return
        self.dim = int(self.encode([Image.new("RGB", (8, 8))]).shape[1])
        text_dim = self._embed(["a picture"]).shape[1]
        if text_dim != self.dim:
            raise ValueError(
                f"The model {os.fspath(weights)!r} gives {self.dim} values for a picture but "
                f"{text_dim} for a text; words can't be compared with its pictures."
            )

    @property
    def model(self):
        """The ``SentenceTransformer``; the compact one is opened when first asked for.

        That takes seconds, and only texts need it.
        """
        return self._of_pictures()

    @property
    def _texts(self):
        return self._of_texts()

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        if self._is_compact:
            return clip_compact.resized(size)
        return _resized_by(self.model, size)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return a picture as the network reads it.

        That is uint8 ``(288, 288, 3)`` for the compact model, float32 ``(3, height, width)`` for
        others.
        """
        if self._is_compact:
            return clip_compact.lay_on_square(image)
        pixels = self.model.preprocess([image])["pixel_values"]
        if pixels.ndim != 4 or len(pixels) != 1:
            raise ValueError(
                f"This model turns a picture into pixels of shape {tuple(pixels.shape)}; simlib "
                "can use models that read it as one (3, height, width), as CLIP and SigLIP do."
            )
        return pixels[0].float().numpy()

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of prepared pictures."""
        return self._pictures(batch)

    def encode_text(self, texts: str | Iterable[str]) -> np.ndarray:
        """Return the embeddings of some texts, in the same space as those of pictures.

        A text is always read as text: one that looks like a path or an address is neither opened
        nor fetched. What exceeds the model's limit (256 word pieces for the compact model, 77 for
        CLIP) is left unread, with a warning.

        Parameters
        ----------
        texts : iterable of str
            Or one ``str``, which counts as a list of one.

        Returns
        -------
        numpy.ndarray
            float32 ``(n, dim)``, row *i* for text *i*.

        Raises
        ------
        TypeError
            If something among them is not a ``str``.
        ValueError
            If a text is empty.
        """
        return self._read(texts)[0]

    def encode_text_with_certainty(
        self, texts: str | Iterable[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the embeddings of some texts, and how well the encoder knows each.

        The multilingual model gives a shorter vector for a text of which it knows less
        (:mod:`simlib.networks.clip_multilingual`); of other models all count as known.

        Returns
        -------
        embeddings, certainty : numpy.ndarray
            float32 ``(n, dim)`` and ``(n,)``.
        """
        return self._read(texts)

    def _read(self, texts: str | Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        texts = as_texts(texts)
        certainty = np.ones(len(texts), dtype=np.float32)
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32), certainty
        self._warn_of_unread(texts)
        embeddings = self._embed(texts)
        if self._reads_only_english:
            self._warn_of_other_languages(texts, embeddings)
        if self.tells_certainty:
            certainty = np.linalg.norm(embeddings, axis=1)
            embeddings = embeddings / certainty[:, None]
        return embeddings, certainty

    def _embed(self, texts: list[str]) -> np.ndarray:
        # As a dict, its modality is said rather than guessed: given a bare string,
        # sentence-transformers opens an existing "shoes.jpg" and fetches "https://…/a.png".
        as_text = [{"text": printable(text)} for text in texts]
        embeddings = self._texts.encode(
            as_text, batch_size=TEXTS_AT_ONCE, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(embeddings, dtype=np.float32)

    def _warn_of_unread(self, texts: list[str]) -> None:
        limit, tokenizer = self._texts.max_seq_length, self._texts.tokenizer
        if limit and tokenizer:
            warn_of_unread(
                texts,
                limit,
                lambda text: len(tokenizer(text, truncation=False, verbose=False)["input_ids"]),
                stacklevel=5,
            )

    def _warn_of_other_languages(self, texts: list[str], embeddings: np.ndarray) -> None:
        for text, seems_foreign in zip(texts, are_foreign(embeddings), strict=True):
            letters = [character for character in text[:1000] if character.isalpha()]
            if not letters or not seems_foreign and _mostly_latin(letters):
                continue
            warnings.warn(
                f"The compact model reads English; for {text[:40]!r}, which seems to be in another "
                "language, expect chance results. load_encoder('clip', weights='multilingual') "
                "finds the same pictures in many languages.",
                stacklevel=4,
            )


class _OpenedOnce:
    """A model that is opened when it is first asked for, by one of the threads that may ask."""

    def __init__(self, folder: Callable[[], Path], device: str) -> None:
        self._folder, self._device = folder, device
        self._lock = threading.Lock()
        self._model: Any = None

    def __call__(self):
        with self._lock:
            if self._model is None:
                with needs_extra("clip", "The encoder 'clip'"):
                    # The folder is asked for anew, since that checks what is in it.
                    self._model = _opened(self._folder(), self._device)
            return self._model


def _require_installed(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def as_texts(texts: str | Iterable[str]) -> list[str]:
    """Return texts as a list, or raise if one of them is no text or empty.

    Examples
    --------
    >>> as_texts(["a red dress", ""])
    Traceback (most recent call last):
    ValueError: Text 1 is empty (''): there is nothing to search for. ...
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Text {place} is not a str but {type(text).__name__}: {text!r}.")
        if not _has_something(text):
            raise ValueError(
                f"Text {place} is empty ({text!r}): there is nothing to search for. "
                'Name what you look for, such as "a red dress".'
            )
    return texts


def warn_of_unread(
    texts: list[str], limit: int, count_pieces: Callable[[str], int], stacklevel: int
) -> None:
    """Warn of each text that has more word pieces than a model reads."""
    for text in texts:
        # A word piece has at least one character, so short texts need no counting.
        if len(text) + 2 > limit:
            pieces = count_pieces(text)
            if pieces > limit:
                warnings.warn(
                    f"The text {text[:40]!r}… is {pieces} word pieces long; the model reads "
                    f"the first {limit}.",
                    stacklevel=stacklevel,
                )


def open_model(name: str, device: str):
    """Return the model of a name or folder as sentence-transformers opens it.

    It is downloaded when it isn't on this computer (:func:`simlib.downloads.hub.hub_folder`). No
    folder is opened that could run code (:mod:`simlib.downloads.model_folder`).

    Raises
    ------
    ValueError
        If the folder could run code, or is no model that can be opened.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _open_foreign(path, device)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or "\\" in name:
        raise FileNotFoundError(
            f"There is no model folder {name}. Expected is 'compact', 'published', the name of a "
            "model on the Hugging Face hub, or a folder that SentenceTransformer.save() made."
        )
    repo_id = name if "/" in name else f"sentence-transformers/{name}"
    cached = cached_folder(repo_id)
    if cached is not None:
        with suppress(ValueError):  # incomplete, or with more in it than simlib would fetch
            return _open_foreign(cached, device)
    return _open_foreign(hub_folder(repo_id), device)


def _open_foreign(folder: Path, device: str):
    """Open a model of others; whatever is wrong with it is a ValueError."""
    require_safe_model(folder)
    try:
        # Arguments of ours come before those in the folder's settings.
        return _opened(folder, device, {"use_safetensors": True, "weights_only": True})
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # of three libraries, whose errors are of all kinds
        reason = " ".join(str(error).split())[:400] or type(error).__name__
        raise ValueError(
            f"The model folder {folder} can't be opened ({reason}). It must be as "
            "SentenceTransformer.save() writes it, with its weights as safetensors."
        ) from error


def _opened(folder: Path, device: str, model_kwargs: dict | None = None):
    from sentence_transformers import SentenceTransformer
    from torch.nn import Softmax

    with quiet_transformers():
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs=model_kwargs,
        )
    _read_texts_as_trained(model, folder)
    for module in model.modules():
        if isinstance(module, Softmax):
            module.dim = -1  # which a saved Dense can't say; left open, torch warns
    return model.eval().requires_grad_(False)


def _read_texts_as_trained(model, folder: Path) -> None:
    """Let SigLIP read its texts as transformers' model cards say: lower case, of full length.

    It was trained on texts padded to 64 word pieces, the last of which it reads out, but
    sentence-transformers pads to the longest text of a batch. A folder that sentence-transformers
    itself saved is left as it is.
    """
    config: Any = getattr(model[0], "config", None)
    if getattr(config, "model_type", None) not in ("siglip", "siglip2"):
        return
    if (folder / "modules.json").is_file():
        return
    pieces = config.text_config.max_position_embeddings
    model[0].processing_kwargs = {
        "text": {"padding": "max_length", "max_length": pieces, "truncation": True}
    }
    model[0].max_seq_length = pieces
    tokenizer = getattr(model[0].tokenizer, "backend_tokenizer", None)
    if tokenizer is not None:
        from tokenizers.normalizers import Lowercase, Sequence

        others = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = Sequence([Lowercase(), *others])


def _require_both(pictures, texts, name: str) -> None:
    for model, modality, word in ((pictures, "image", "pictures"), (texts, "text", "text")):
        if not model.supports(modality):
            reads = ", ".join(map(str, model.modalities))
            raise ValueError(
                f"The model {name!r} doesn't read {word}, only {reads}; text search needs one that "
                "reads both, such as 'clip-ViT-B-32'."
            )


def _state_of(model) -> str:
    """Return the SHA-256 of a model's weights: a name alone doesn't say which version it is."""
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy())
    return digest.hexdigest()


def _resized_by(model, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size to which a model's processor resizes a picture; None if it does not say."""
    for module in model.modules():
        processor = getattr(module, "processor", None)
        processor = getattr(processor, "image_processor", processor)
        wanted = getattr(processor, "size", None)
        if getattr(processor, "do_resize", False) and wanted is not None:
            said = {name: value for name, value in dict(wanted).items() if value is not None}
            if said.keys() == {"shortest_edge"}:
                return with_shorter_side(size, said["shortest_edge"])
            if said.keys() == {"height", "width"}:
                return said["width"], said["height"]
    return None


def _picture_reader(model, precision: str):
    """Return the part of a model that reads pictures: a module from prepared ones to embeddings."""
    import torch

    class PictureReader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # In another precision it is a model of its own: the texts need this one as it is.
            self.model = model if precision == "float32" else copy.deepcopy(model)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            pixels = pictures.to(next(self.model.parameters()).dtype)  # (n, 3, height, width)
            return self.model({"pixel_values": pixels, "modality": "image"})["sentence_embedding"]

    return PictureReader()


def printable(text: str) -> str:
    # A lone surrogate (half of an emoji cut in two) has no UTF-8 form; the tokenizer refuses it.
    return text.encode("utf-8", "replace").decode("utf-8")


def _has_something(text: str) -> bool:
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def _mostly_latin(letters: list[str]) -> bool:
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return latin * 2 >= len(letters)
