"""Image-text networks in open_clip's format: MobileCLIP, Marqo's, LAION's, SigLIP by timm.

open_clip (https://github.com/mlfoundations/open_clip) builds the network, its preprocessing and its
tokenizer from ``open_clip_config.json``. Nothing of it is read before
:mod:`simlib.downloads.model_folder` has checked the folder, and nothing is fetched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from simlib.downloads.model_folder import require_safe_open_clip
from simlib.extras import needs_extra
from simlib.networks.clip_compact import quiet_transformers

if TYPE_CHECKING:
    import torch


class OpenClipNetwork(NamedTuple):
    """A network with what belongs to it."""

    model: Any
    """open_clip's, in evaluation mode, on the CPU: ``.visual``, ``.encode_text``."""
    prepare: Callable[[Image.Image], np.ndarray]
    """From an RGB picture to float32 ``(3, height, width)``; safe in several threads."""
    tokenize: Callable[[list[str]], torch.Tensor]
    """From texts to their word pieces, int64 ``(n, limit)``."""
    count_pieces: Callable[[str], int]
    """How many word pieces a text has before it is cut at the limit."""
    limit: int


def require_open_clip(what: str) -> Any:
    """Return the module ``open_clip``, or raise an ImportError with the command that brings it."""
    with needs_extra("open-clip", what), _root_logger_untouched():
        import open_clip
        import transformers  # noqa: F401 (reads the tokenizers of most of its models)
    return open_clip


def open_open_clip(folder: Path) -> OpenClipNetwork:
    """Return the network in a folder with ``open_clip_config.json`` and its weights.

    Raises
    ------
    ImportError
        If open_clip is missing.
    ValueError
        If the folder could run code, or the weights do not fit the network it describes.
    """
    open_clip = require_open_clip(f"The model in {folder}, which is in open_clip's format,")
    require_safe_open_clip(folder)
    source = f"local-dir:{folder}"
    try:
        with quiet_transformers(), _root_logger_untouched():
            model, _, transform = open_clip.create_model_and_transforms(
                source, device="cpu", pretrained_text=False, weights_only=True
            )
            tokenizer = open_clip.get_tokenizer(source)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # of four libraries, whose errors are of all kinds
        reason = " ".join(str(error).split())[:400] or type(error).__name__
        raise ValueError(
            f"The model folder {folder} can't be opened with open_clip ({reason}). It must hold "
            "'open_clip_config.json', 'open_clip_model.safetensors' that fit it, and the files of "
            "its tokenizer, unless that is CLIP's own."
        ) from error

    def prepare(image: Image.Image) -> np.ndarray:
        return transform(image).numpy()

    def count_pieces(text: str) -> int:
        if hasattr(tokenizer, "encode"):  # CLIP's own, which leaves out start and end
            return len(tokenizer.encode(text)) + 2
        text = tokenizer.clean_fn(text)
        return len(tokenizer.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    model.eval().requires_grad_(False)
    return OpenClipNetwork(model, prepare, tokenizer, count_pieces, tokenizer.context_length)


@contextmanager
def _root_logger_untouched() -> Iterator[None]:
    """Undo what open_clip does to everybody's logs: its ``logging.info`` installs a handler."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.setLevel(logging.ERROR)  # it also warns of what is meant to be
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
