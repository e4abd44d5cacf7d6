"""Strategy 3: a network that learned, without labels, to bring two views of a picture together.

Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations"
(https://arxiv.org/abs/2002.05709), as lightning-bolts implements it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.encoders.base import WeightedEncoder
from simlib.networks import simclr_resnet
from simlib.networks.device import choose_device
from simlib.networks.inference import load_network
from simlib.networks.simclr_resnet import (
    PREPROCESSING,
    SIDE,
    dim_of,
    own_network,
    published_network,
    resize_and_normalise,
    with_mirror_image,
)

__all__ = ["SimclrEncoder"]


class SimclrEncoder(WeightedEncoder):
    """Embeds pictures with a network trained by SimCLR.

    What the tutorial does with a Dataset and a DataLoader: a picture is resized to 64 × 64 whatever
    its shape, normalised, and read in batches by the ResNet behind SimCLR, without its projection.
    Of the published network the embedding is, as in the paper, what its last stage gives, averaged
    over the picture. Of the networks that :func:`train` made, the compact one among them, it is
    what the third stage gives in the picture's four quarters, whitened, and averaged over the
    picture and its mirror image; that finds better neighbours (the card has the figures), and needs
    no labels either.

    Parameters
    ----------
    weights : str or os.PathLike
        ``"compact"``: a ResNet-18 of our own, 512 values, in this repository (its card is in
        ``data/README.md``). ``"published"``: the ResNet-50 that bolts trained on ImageNet, 2,048
        values, downloaded once. Or the path of what :func:`train` made.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, or ``"bfloat16"``: faster where the processor has it, and less exact.
        ``"float16"`` on GPUs.
    backend : str, optional
        ``"torch"`` to have torch run the network where OpenVINO would: on a CPU, where the package
        openvino is installed.
    last_stage : bool
        Whether networks that :func:`train` made are read as in the paper, too. The published one
        always is.

    Raises
    ------
    FileNotFoundError
        If there is no such file of weights.
    ValueError
        If the file is not what it should be; nothing in it is run.
    ConnectionError
        If the published weights are not here and can't be downloaded.

    Examples
    --------
    >>> encoder = SimclrEncoder(device="cpu")
    >>> encoder.encode([Image.new("RGB", (30, 40), "red"), Image.new("RGB", (64, 64))]).shape
    (2, 512)
    """

    name = "simclr"
    column = "simclr_img_embeddings"
    checks_cache = False  # the recipe holds the hash of the weights

    def __init__(
        self,
        weights: str | os.PathLike[str] = "compact",
        device: str | None = None,
        precision: str = "float32",
        backend: str | None = None,
        last_stage: bool = False,
    ) -> None:
        self._device = choose_device(device)
        self._both_ways = weights != "published" and not last_stage
        if weights == "published":
            build, sha256 = published_network()
            self.dim = dim_of("resnet50")
        else:
            path = simclr_resnet.COMPACT_PATH if weights == "compact" else Path(weights)
            build, arch, sha256 = own_network(path, last_stage)
            self.dim = dim_of(arch)
        stage = " last stage" if last_stage and weights != "published" else ""
        self._take(build, f"weights {sha256}{stage}", precision, backend)

    @classmethod
    def of_network(cls, network, dim: int, device: str = "cpu") -> SimclrEncoder:
        """Return an encoder around a network in memory, such as one that is being trained."""
        encoder = cls.__new__(cls)
        encoder._made_with = None
        encoder._device, encoder.dim, encoder._both_ways = device, dim, False
        digest = hashlib.sha256()
        for name, tensor in network.state_dict().items():
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        encoder._take(lambda: network, f"network {digest.hexdigest()}", backend="torch")
        return encoder

    def _take(
        self,
        build: Callable,
        origin: str,
        precision: str = "float32",
        backend: str | None = None,
    ) -> None:
        ways = " mean with the mirror image" if self._both_ways else ""
        self.recipe = f"simclr {origin} {PREPROCESSING}{ways}"
        self._network = load_network(
            "simclr",
            self.recipe,
            lambda: with_mirror_image(build()) if self._both_ways else build(),
            np.zeros((3, SIDE, SIDE), dtype=np.float32),
            self._device,
            precision,
            backend,
        )
        self.backend = self._network.backend
        self.recipe += f" {self._network.precision}"

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int]:
        return SIDE, SIDE

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return a picture as the network reads it, float32 ``(3, 64, 64)``."""
        return resize_and_normalise(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of prepared pictures ``(n, 3, 64, 64)``."""
        return self._network(np.ascontiguousarray(batch, dtype=np.float32))
