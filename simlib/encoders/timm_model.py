"""Any network that timm has published: DINOv2 and DINOv3, ConvNeXt, ViT and 1,800 others."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from simlib.encoders.base import WeightedEncoder
from simlib.networks.device import choose_device
from simlib.networks.inference import load_network
from simlib.networks.timm_network import feature_maps, open_timm


class TimmEncoder(WeightedEncoder):
    """The pooled features of a network of timm's, with that network's own preprocessing.

    Parameters
    ----------
    model : str
        The network and its weights as timm writes them, such as
        ``"vit_small_patch14_dinov2.lvd142m"``.
    weights : str or path
        ``"published"`` (or ``"compact"``, the default of :func:`simlib.load_encoder`): downloaded
        once from the Hugging Face hub. Or the path of a safetensors file.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, ``"bfloat16"`` or, on GPUs, ``"float16"``.
    backend : str, optional
        ``"openvino"`` to convert the network, which not every one allows; torch runs it otherwise.

    Raises
    ------
    ValueError
        If timm has no published network of that name, or the weights do not fit it.
    FileNotFoundError
        If ``weights`` is a path and nothing is there.
    ConnectionError
        If the weights are neither on this computer nor within reach.

    Examples
    --------
    >>> TimmEncoder("no_such_network")
    Traceback (most recent call last):
    ValueError: timm has no published network 'no_such_network'. ...
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
        opened = open_timm(model, None if weights in ("published", "compact") else weights)
        self.name = f"timm:{model}"
        self.column = f"timm_{re.sub(r'[^A-Za-z0-9]+', '_', model)}_embedding"
        self._prepare = opened.prepare
        self._resizes_to = opened.resizes_to
        self._torch_network = opened.network
        self.recipe = f"timm {model} {opened.recipe}"
        blank = opened.prepare(Image.new("RGB", (8, 8)))
        self._network = load_network(
            "timm",
            self.recipe,
            lambda: opened.network,
            blank,
            choose_device(device),
            precision,
            backend or "torch",
        )
        self.backend = self._network.backend
        if self._network.precision != "float32":
            self.recipe += f" {self._network.precision}"
        self.dim = int(self._network(blank[np.newaxis]).shape[1])

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        return self._resizes_to(size)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return a picture as the network reads it, float32 ``(3, height, width)``."""
        return self._prepare(image)

    def feature_maps(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return the last feature maps of pictures, float32 ``(n, channels, rows, columns)``."""
        prepared = np.stack([self.prepare(image) for image in images])
        return feature_maps(self._torch_network, prepared)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of prepared pictures."""
        return self._network(batch)
