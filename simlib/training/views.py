"""SimCLR's views of a picture: random crops with distorted colours."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, channels R, G, B
_GREY = torch.tensor([0.299, 0.587, 0.114])  # luma, ITU-R BT.601
_TO_YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
)
_FROM_YIQ = torch.linalg.inv(_TO_YIQ)


def draw_views(
    pictures: torch.Tensor,
    generator: torch.Generator,
    side: int = 64,
    smallest_crop: float = 0.2,
    colour_strength: float = 0.5,
    grey_probability: float = 0.2,
) -> torch.Tensor:
    """Return one random view of each picture: a crop, perhaps mirrored, its colours distorted.

    The augmentations of SimCLR without its blur, as torchvision's ``RandomResizedCrop``,
    ``RandomHorizontalFlip``, ``ColorJitter`` (applied to 80% of the views) and ``RandomGrayscale``
    draw them, but for a whole batch at once, which is many times faster. Hue is turned in the YIQ
    colour space; brightness, contrast, saturation and hue then are one affine map of the colours.

    Parameters
    ----------
    pictures : torch.Tensor
        float32 ``(n, 3, height, width)``, values in [0, 1].
    generator : torch.Generator
        On the CPU; it alone decides what is drawn, on whatever device the pictures are.
    side : int
        Height and width of a view, pixels.
    smallest_crop : float
        The least share of the picture's area that a crop takes; the most is all of it.
    colour_strength : float
        0 leaves the colours alone, 1 is SimCLR's full distortion (brightness, contrast and
        saturation ±80%, hue ±20% of the colour circle).
    grey_probability : float
        How often a view loses its colours.

    Returns
    -------
    torch.Tensor
        float32 ``(n, 3, side, side)``, values in [0, 1].

    Examples
    --------
    >>> pictures = torch.rand(4, 3, 96, 72)
    >>> views = draw_views(pictures, torch.Generator().manual_seed(0), side=32)
    >>> views.shape
    torch.Size([4, 3, 32, 32])
    """
    n, device = len(pictures), pictures.device

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(n).uniform_(low, high, generator=generator)

    area = uniform(smallest_crop, 1.0)
    aspect = uniform(math.log(3 / 4), math.log(4 / 3)).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    crop = torch.zeros(n, 2, 3)
    crop[:, 0, 0], crop[:, 0, 2] = width * mirror, (1 - width) * uniform(-1, 1)
    crop[:, 1, 1], crop[:, 1, 2] = height, (1 - height) * uniform(-1, 1)
    grid = functional.affine_grid(crop.to(device), [n, 3, side, side], align_corners=False)
    views = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)

    jittered = (uniform(0, 1) < 0.8).float() * colour_strength
    brightness, contrast, saturation = (1 + jittered * uniform(-0.8, 0.8) for _ in range(3))
    hue = jittered * uniform(-0.2, 0.2) * 2 * math.pi
    saturation[uniform(0, 1) < grey_probability] = 0
    turn = torch.eye(3).repeat(n, 1, 1)
    turn[:, 1, 1], turn[:, 1, 2] = hue.cos(), -hue.sin()
    turn[:, 2, 1], turn[:, 2, 2] = hue.sin(), hue.cos()
    saturation = saturation.view(n, 1, 1)
    saturate = saturation * torch.eye(3) + (1 - saturation) * _GREY.expand(3, 3)
    matrix = saturate @ _FROM_YIQ @ turn @ _TO_YIQ * (brightness * contrast).view(n, 1, 1)
    mean_grey = (views.mean((2, 3)) * _GREY.to(device)).sum(1)  # (n,)
    offset = mean_grey * (brightness * (1 - contrast)).to(device)  # contrast is kept around it
    views = torch.baddbmm(offset.view(n, 1, 1), matrix.to(device), views.flatten(2))
    return views.view(n, 3, side, side).clamp_(0, 1)


def normalise(views: torch.Tensor) -> torch.Tensor:
    """Return views, values in [0, 1], as the network reads them (see ``MEAN`` and ``STD``).

    Examples
    --------
    >>> normalise(torch.tensor(MEAN).view(1, 3, 1, 1)).flatten().tolist()
    [0.0, 0.0, 0.0]
    """
    mean, std = (torch.tensor(c, device=views.device).view(1, 3, 1, 1) for c in (MEAN, STD))
    return (views - mean) / std
