"""The views of a picture that the compact image-text model learns from.

A shop's pictures are cut out, enlarged from thumbnails or grey where a snapshot is none of that; a
view that was trained is a picture that is read. Measured on training photos set aside and made 28
pixels small and grey: macro F1 0.24 with the first eight views of a photo alone, 0.68 with five
more (with the published picture tower; ``data/README.md``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances

from simlib.networks import clip_compact

View = Callable[[Image.Image], Image.Image]


def in_a_square(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture centred on a white square; what exceeds the square is cut off."""
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, tuple((side - length) // 2 for length in picture.size))
    return square


def squeezed(picture: Image.Image) -> Image.Image:
    return picture.resize((clip_compact.INPUT_SIDE,) * 2, Image.Resampling.BICUBIC)


def middle(picture: Image.Image) -> Image.Image:
    return in_a_square(picture, min(picture.size))


def nearer(picture: Image.Image) -> Image.Image:
    return in_a_square(picture, round(max(picture.size) * 0.85))


def farther(picture: Image.Image) -> Image.Image:
    return in_a_square(picture, round(max(picture.size) / 0.85))


def grey(picture: Image.Image) -> Image.Image:
    return ImageOps.grayscale(picture).convert("RGB")


def small(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture as it looks enlarged from a thumbnail, with a white margin."""
    longer = max(picture.size)
    size = [max(1, round(length * side / longer)) for length in picture.size]
    thumbnail = in_a_square(picture.resize(size, Image.Resampling.BOX), side + 8)
    return thumbnail.resize((224, 224), Image.Resampling.BICUBIC)


def cut_out(picture: Image.Image) -> Image.Image:
    """Return the thing alone, on white and as large as the frame; the picture if none is seen."""
    seen = thing(picture)
    if seen is None:
        return picture
    mask = Image.fromarray(np.uint8(255 * seen)).resize(picture.size, Image.Resampling.BILINEAR)
    alone = Image.composite(picture, Image.new("RGB", picture.size, "white"), mask)
    return alone.crop(mask.point(lambda value: 255 * (value > 100)).getbbox())


def thing(picture: Image.Image) -> np.ndarray | None:
    """Return where the thing is, bool, the longer side 96; None if that is little or nearly all.

    The border's colours are grouped by k-means; what is farther from all groups than they are wide
    is the thing, with its holes filled and without crumbs.
    """
    scale = 96 / max(picture.size)
    size = [max(8, round(length * scale)) for length in picture.size]
    pixels = np.asarray(picture.resize(size, Image.Resampling.BOX).convert("LAB"), np.float32)
    wide = max(2, round(min(size) * 0.06))
    sides = (pixels[:wide], pixels[-wide:], pixels[:, :wide], pixels[:, -wide:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    colours = min(6, len(np.unique(border, axis=0)))
    groups = KMeans(colours, n_init=1, max_iter=8, random_state=0).fit(border)
    often = np.bincount(groups.labels_, minlength=colours) > 0.06 * len(border)
    centres = groups.cluster_centers_[often]
    spread = pairwise_distances(border, centres).min(1).mean()
    far = pairwise_distances(pixels.reshape(-1, 3), centres).min(1).reshape(pixels.shape[:2])
    mask = Image.fromarray(np.uint8(255 * (far > max(12, 2 * spread))))
    mask = np.asarray(mask.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.MaxFilter(3)))
    closed = ndimage.binary_closing(np.pad(mask, 4), iterations=3)[4:-4, 4:-4]
    parts, count = ndimage.label(ndimage.binary_fill_holes(closed))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    found = np.isin(parts, 1 + np.flatnonzero(sizes >= 0.25 * max(sizes, default=0)))
    return found if 0.08 <= found.mean() <= 0.9 else None


def itself(picture: Image.Image) -> Image.Image:
    return picture


def then(first: View, second: View) -> View:
    return lambda picture: second(first(picture))


def small_and_grey(picture: Image.Image) -> Image.Image:
    return grey(small(picture, 28))


# The picture as the model reads it comes first; True for a view that shows the colour.
OF_PHOTOS: list[tuple[View, bool]] = [
    (itself, True),
    (squeezed, True),
    (middle, True),
    (ImageOps.mirror, True),
    (then(squeezed, ImageOps.mirror), True),
    (then(middle, ImageOps.mirror), True),
    (nearer, True),
    (farther, True),
    (grey, False),
    (small_and_grey, False),
    (lambda picture: small(picture, 48), True),
    (cut_out, True),
    (then(cut_out, small_and_grey), False),
    (then(cut_out, then(ImageOps.mirror, small_and_grey)), False),
]
# Drawings teach colours: grey ones are few.
OF_DRAWINGS: list[tuple[View, bool]] = [(itself, True), (small_and_grey, False)]
AS_IT_IS: list[tuple[View, bool]] = [(itself, True)]
