"""SimCLR's ResNets: how they are built, what they read, and how their weights are loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.data_files import data_folder, restore_hint
from simlib.storage.hashing import sha256_of

SIDE = 64
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet, channels R, G, B
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
PREPROCESSING = "resize 64 × 64 bilinear, (x - mean) / std of ImageNet"
COMPACT_PATH = data_folder() / "models" / "simclr_resnet18_64.safetensors"
COMPACT_SHA256 = "58f0cc21d2ea37ac189724dacbd19b56d7a85f2cb6bc4356881b5d58259ac9d0"


def resize_and_normalise(image: Image.Image) -> np.ndarray:
    """Return an RGB picture as SimCLR's networks read it.

    Returns
    -------
    numpy.ndarray
        float32 ``(3, 64, 64)``; 0 is ImageNet's mean colour, 1 one standard deviation above it.

    Examples
    --------
    >>> resize_and_normalise(Image.new("RGB", (30, 40), (124, 116, 104)))[:, 0, 0].round(1) + 0.0
    array([0., 0., 0.], dtype=float32)
    """
    resized = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, dtype=np.float32) / 255  # (64, 64, 3)
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1))


def build(arch: str):
    """Return an untrained network of SimCLR's in evaluation mode, for embeddings.

    It is torchvision's, which is what lightning-bolts' own was copied from: the tensors have the
    same names, the results are the same, and it loads in a fraction of the time.

    Parameters
    ----------
    arch : str
        ``"resnet18"`` (embeddings of 512 values) or ``"resnet50"`` (2,048).

    Examples
    --------
    >>> build("resnet18").fc
    Identity()
    """
    import torch
    import torchvision

    dim_of(arch)  # refuses what SimCLR was not trained with here
    network = torchvision.models.get_model(arch, weights=None)
    network.fc = torch.nn.Identity()  # SimCLR takes what lies before the classifier
    return network.eval()


def dim_of(arch: str) -> int:
    """Return the number of values in an embedding of a network.

    Examples
    --------
    >>> dim_of("resnet18")
    512
    """
    dims = {"resnet18": 512, "resnet50": 2048}
    if arch not in dims:
        raise ValueError(f"There is no network {arch!r} for SimCLR; choose one of {list(dims)}.")
    return dims[arch]


def own_network(path: Path, last_stage: bool = False):
    """Return what is in a file that `train` made.

    Parameters
    ----------
    path : Path
        The file.
    last_stage : bool
        Whether to end with the last stage, as in the paper, instead of the whitened third.

    Returns
    -------
    callable
        Builds the network; it is what takes long, and not needed where it was converted before.
    str
        The architecture.
    str
        The file's SHA-256.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There are no SimCLR weights at {path}. "
            + (
                restore_hint()
                if path == COMPACT_PATH
                else "Expected is 'compact', 'published', or the path that train() returned."
            )
        )
    sha256 = sha256_of(path)
    if path == COMPACT_PATH and sha256 != COMPACT_SHA256:
        raise ValueError(
            f"The SimCLR weights {path} are damaged or were changed: their SHA-256 is {sha256}, "
            f"expected {COMPACT_SHA256}. {restore_hint()}"
        )
    arch = read_settings(path)["arch"]

    def build_network():
        import torch

        parts, _ = read_parts(path)
        network = build(arch)
        load_all(network, parts["encoder"], path)
        if last_stage:
            return network
        whitening = torch.nn.Linear(cells_of(network), dim_of(arch))
        load_all(whitening, parts["whitening"], path)
        return torch.nn.Sequential(third_stage(network), whitening)

    return build_network, arch, sha256


def third_stage(network):
    """Return what reads a ResNet's third stage, ``layer3``, on a grid of 2 × 2 cells.

    Before the last stage the features serve the contrastive task less and other tasks better, and
    cells keep where in the picture something is. Source: Bordes et al., "Guillotine
    Regularization" (https://arxiv.org/abs/2206.13378).
    """
    import torch

    stages = list(network.children())[:7]  # conv1, bn1, relu, maxpool, layer1, layer2, layer3
    return torch.nn.Sequential(*stages, torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())


def cells_of(network) -> int:
    """Return how many values ``third_stage`` gives for a picture."""
    return 4 * network.layer4[0].conv1.in_channels


def read_settings(path: Path) -> dict:
    """Return the settings of the run of ``train`` that wrote a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            settings = json.loads((file.metadata() or {}).get("simclr", "null"))
            parts = {name.partition(".")[0] for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"The file {path} holds no safetensors weights ({error}).") from None
    if settings is None or not parts <= {"encoder", "whitening"}:
        raise ValueError(f"The file {path} was not made by simlib's train().")
    return settings


def read_parts(path: Path) -> tuple[dict[str, dict], dict]:
    """Return the tensors of a file by ``train``, float32, by their part; and the run's settings."""
    from safetensors.torch import load_file

    settings = read_settings(path)
    parts: dict[str, dict] = {"encoder": {}, "whitening": {}}
    for full_name, tensor in load_file(path).items():
        part, _, name = full_name.partition(".")
        parts[part][name] = tensor.float() if tensor.is_floating_point() else tensor
    return parts, settings


def published_network():
    """Return what builds the published network, and the SHA-256 of its weights."""
    from simlib.networks.simclr_published import fetch_checkpoint, read_encoder_weights

    path = fetch_checkpoint()
    network = build("resnet50")
    names = {*network.state_dict(), "fc.weight", "fc.bias"}  # which nothing calls in bolts either
    weights, sha256 = read_encoder_weights(path, names)
    load_all(network, {n: t for n, t in weights.items() if not n.startswith("fc.")}, path)
    return lambda: network, sha256


def load_all(network, weights: dict, path: Path) -> None:
    try:
        network.load_state_dict(weights, strict=True)  # missing and foreign names are errors
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit their network: {error}") from None


def with_mirror_image(network):
    """Return a network that averages what another one gives for a picture and its mirror image."""
    import torch

    class BothWays(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return (self.network(pictures) + self.network(pictures.flip(3))) / 2  # (n, dim)

    return BothWays()
