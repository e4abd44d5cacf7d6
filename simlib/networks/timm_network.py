"""timm's networks with their published weights: what they read, and the features they give.

timm (https://huggingface.co/docs/timm) knows each network's architecture, preprocessing and where
its weights are published; the weights are fetched by :mod:`simlib.downloads.hub` and loaded
strictly, from safetensors only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from simlib.downloads.hub import hub_file
from simlib.images import ResizesTo, with_shorter_side
from simlib.storage.hashing import sha256_of

if TYPE_CHECKING:
    import torch

PUBLISHED_FILE = "model.safetensors"


class TimmNetwork(NamedTuple):
    """A network that ends with its pooled features, and the preprocessing it was trained with."""

    network: torch.nn.Module
    prepare: Callable[[Image.Image], np.ndarray]
    """From an RGB picture to float32 ``(3, height, width)``; safe in several threads."""
    recipe: str
    """The weights' SHA-256 and the preprocessing."""
    resizes_to: ResizesTo
    """From a picture's size to that before the middle is cut out of it; None where unknown."""


def feature_maps(network: torch.nn.Module, batch: np.ndarray) -> np.ndarray:
    """Return a network's last feature maps, float32 ``(n, channels, rows, columns)``.

    Of a transformer these are the tokens of its patches, without those of the whole picture.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    batch : numpy.ndarray
        Prepared pictures, float32 ``(n, 3, height, width)``.

    Examples
    --------
    >>> import timm
    >>> network = timm.create_model("test_vit", pretrained=False).eval()
    >>> feature_maps(network, np.zeros((2, 3, 160, 160), dtype=np.float32)).shape
    (2, 64, 10, 10)
    """
    import torch

    weight = next(network.parameters())
    with torch.inference_mode():
        inputs = torch.from_numpy(batch).to(weight.device, weight.dtype)
        maps = network.forward_features(inputs)  # type: ignore[operator]
    if maps.ndim == 3:  # tokens, (n, prefix + patches, channels)
        maps = maps[:, getattr(network, "num_prefix_tokens", 0) :]
        side = round(maps.shape[1] ** 0.5)
        maps = maps.unflatten(1, (side, -1)).permute(0, 3, 1, 2)
    elif maps.shape[1] != network.num_features:  # (n, rows, columns, channels)
        maps = maps.permute(0, 3, 1, 2)
    return maps.float().cpu().numpy()


def open_timm(
    name: str, weights: str | os.PathLike[str] | None = None, classifier: bool = False
) -> TimmNetwork:
    """Return a network of timm's.

    Parameters
    ----------
    name : str
        As timm writes it, with the tag of its weights: ``"resnet50.a1_in1k"``.
    weights : path, optional
        A safetensors file to load instead of downloading the published weights.
    classifier : bool
        Whether the network keeps its last layer, which names classes.

    Raises
    ------
    ValueError
        If timm has no published weights of that name, or the file does not fit the network.
    FileNotFoundError
        If there is no such file.
    ConnectionError
        If the weights are neither on this computer nor within reach.

    Examples
    --------
    >>> open_timm("resnet5.a1_in1k")
    Traceback (most recent call last):
    ValueError: timm has no published network 'resnet5.a1_in1k'. Similar: resnet50.a1_in1k, ...
    """
    import timm
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from timm.data import create_transform, resolve_data_config
    from timm.models import get_pretrained_cfg

    known = get_pretrained_cfg(name) if timm.is_model(name) else None
    if known is None or not known.hf_hub_id:
        similar = get_close_matches(name, timm.list_models(pretrained=True), n=3)
        raise ValueError(
            f"timm has no published network {name!r}."
            + (f" Similar: {', '.join(similar)}." if similar else "")
            + " All names: timm.list_models(pretrained=True)."
        )
    if weights is None:
        path = hub_file(known.hf_hub_id, known.hf_hub_filename or PUBLISHED_FILE)
    else:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"There are no weights at {str(path)!r}.")
    network: Any = timm.create_model(name, pretrained=False, num_classes=known.num_classes)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"The weights in {str(path)!r} do not fit timm's {name}: {reason}"
        ) from None
    if not classifier:
        network.reset_classifier(0)  # from now on it ends with the pooled features
    transform = create_transform(
        **resolve_data_config(pretrained_cfg=known.to_dict()), is_training=False
    )

    def prepare(image: Image.Image) -> np.ndarray:
        return transform(image).numpy()

    recipe = f"{sha256_of(path)} {transform}"
    return TimmNetwork(network.eval(), prepare, recipe, _resize_in(transform))


def _resize_in(transform: Any) -> ResizesTo:
    """Return what the first step of a torchvision transform does to sizes."""
    from torchvision.transforms import Resize

    first = transform.transforms[0]
    wanted = first.size if isinstance(first, Resize) and first.max_size is None else None
    if isinstance(wanted, (tuple, list)):
        wanted = wanted[0] if len(wanted) == 1 else (wanted[1], wanted[0])
    if isinstance(wanted, int):
        return lambda size: with_shorter_side(size, wanted)
    return lambda size: wanted
