"""The picture tower of the compact image-text model: EfficientNet-Lite0, taught to read thumbnails.

The published network makes of a picture that is grey and 28 pixels small something else than of the
same picture as it was. Here its weights are changed so that both come out alike
(``data/make/train_tower.py``), a distillation without labels: Hinton et al., "Distilling the
Knowledge in a Neural Network" (https://arxiv.org/abs/1503.02531). What is shipped is the changes,
``data/models/clip_tower.safetensors``, in 6 bits each; the rest comes from the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simlib.data_files import data_folder, restore_hint
from simlib.networks import efficientnet_lite0
from simlib.networks.assembled import require_hash

if TYPE_CHECKING:
    import torch

CHANGES = data_folder() / "models" / "clip_tower.safetensors"
CHANGES_SHA256 = "6a65ffb2b87c17301273b207a5f8111296d2a3961a5b90dd2d4d243b8e40d081"
BITS = 6
MIDDLE = 2 ** (BITS - 1)  # stands for "no change"


def build():
    """Return the network as ``efficientnet_lite0.build`` does; its classifier is the published one.

    Raises
    ------
    FileNotFoundError
        If the changes are missing.
    ImportError
        If the package with the published weights is missing.
    ValueError
        If either is not the file whose SHA-256 is pinned.
    """
    import torch
    from safetensors.numpy import load_file

    require_hash(CHANGES, CHANGES_SHA256, restore_hint())
    changes = load_file(CHANGES)
    network = efficientnet_lite0.build()
    matrices, norms = learned(network)
    scales = parts(changes["scales"], [len(tensor) for tensor in matrices])
    steps = parts(unpack(changes["steps"]), [tensor.numel() for tensor in matrices])
    for tensor, scale, step in zip(matrices, scales, steps, strict=True):  # (filters, …)
        change = scale[:, None] * step.reshape(len(tensor), -1)
        tensor += torch.from_numpy(change).reshape(tensor.shape)
    shifts = parts(changes["norms"].astype(np.float32), [len(tensor) for tensor in norms])
    for tensor, shift in zip(norms, shifts, strict=True):  # (channels,)
        tensor += torch.from_numpy(shift)
    return network


def learned(network: torch.nn.Module) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the weights of the convolutions, and those of the normalisations, in their order.

    Everything that was trained: the classifier and the statistics of the normalisations stayed.
    """
    found = [
        tensor for name, tensor in network.named_parameters() if not name.startswith("classifier")
    ]
    return [one for one in found if one.ndim > 1], [one for one in found if one.ndim == 1]


def parts(values: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Return one part after another, of the given sizes; what is left over belongs to none."""
    return np.split(values, np.cumsum(sizes))[:-1]


def pack(steps: np.ndarray) -> np.ndarray:
    """Return whole numbers from -31 to 31 in 6 bits each, uint8.

    Examples
    --------
    >>> packed = pack(np.array([-31, 0, 1, 31]))
    >>> len(packed), unpack(packed).tolist()
    (3, [-31.0, 0.0, 1.0, 31.0])
    """
    bits = np.unpackbits((steps + MIDDLE).astype(np.uint8)[:, None], axis=1)  # (n, 8)
    return np.packbits(bits[:, 8 - BITS :])


def unpack(packed: np.ndarray) -> np.ndarray:
    """Return what :func:`pack` packed, float32; perhaps one more, of the bits that fill up."""
    bits = np.unpackbits(packed)
    values = bits[: len(bits) // BITS * BITS].reshape(-1, BITS)
    steps = np.packbits(np.pad(values, ((0, 0), (8 - BITS, 0))), axis=1)[:, 0]
    return steps.astype(np.float32) - MIDDLE
