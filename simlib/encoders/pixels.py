"""Strategy 1: the picture's own numbers, one after the other, are its embedding."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from simlib.arguments import require_size
from simlib.encoders.base import Encoder
from simlib.images import load_image

__all__ = ["PixelsEncoder", "flatten_pixels"]


def _flatten(image: Image.Image) -> np.ndarray:
    # Divided in float32: the same value as int / 255 to the last bit that float32 keeps.
    return np.asarray(image, dtype=np.float32).ravel() / np.float32(255)  # (height * width * 3,)


def flatten_pixels(img_path: str | os.PathLike) -> np.ndarray:
    """Return a picture as one long row of numbers.

    Parameters
    ----------
    img_path : str or path
        A picture that :func:`simlib.load_image` can open.

    Returns
    -------
    numpy.ndarray
        float32 ``(height * width * 3,)``, each value in [0, 1]: red, green and blue of the first
        pixel, then of the next one to its right, row by row.

    Raises
    ------
    simlib.ImageError
        If the picture can't be opened.

    Examples
    --------
    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "red.png")
    >>> Image.new("RGB", (2, 1), "red").save(path)
    >>> flatten_pixels(path)
    array([1., 0., 0., 1., 0., 0.], dtype=float32)
    """
    return _flatten(load_image(img_path))


class PixelsEncoder(Encoder):
    """Flattened raw pixels; no network and no weights.

    Parameters
    ----------
    size : (int, int), optional
        Width and height to which every picture is resized. Without it pictures stay as they are,
        and all of them must have the same size.
    weights, device
        Ignored: there is nothing to load and nothing to run.

    Examples
    --------
    >>> small = PixelsEncoder(size=(2, 2))
    >>> small.encode([Image.new("RGB", (640, 480), "black"), Image.new("RGB", (9, 9), "white")])
    array([[0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.],
           [1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.]], dtype=float32)
    """

    name = "pixels"
    column = "flattened_pixels"
    checks_cache = False  # the recipe holds the hash of the weights
    backend = "numpy float32"
    # Decoding the picture again is quicker than reading 150,528 numbers back from a disk.
    cacheable = False

    def __init__(
        self,
        weights: str = "compact",
        device: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        if size is not None:
            size = require_size("size", size)
        self.size = size
        self.dim = None if size is None else size[0] * size[1] * 3
        self.recipe = f"pixels, size {size}"

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        return self.size

    def prepare(self, image: Image.Image) -> np.ndarray:
        if self.size is not None and image.size != self.size:
            image = image.resize(self.size, Image.Resampling.BICUBIC)
        return np.asarray(image)  # (height, width, 3) uint8: a quarter of the floats' memory

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        rows = batch.reshape(len(batch), -1).astype(np.float32)  # (n, dim)
        rows /= 255  # in place: a batch is hundreds of megabytes where pictures are large
        return rows

    def explain_unequal(self, first: np.ndarray, second: np.ndarray) -> str:
        sizes = [f"{width}×{height}" for height, width, _ in (first.shape, second.shape)]
        return (
            f"The pictures have unequal sizes, {sizes[0]} and {sizes[1]} pixels, so their "
            "flattened rows can't be compared. Resize them all: "
            f"simlib.load_encoder('pixels', size=({first.shape[1]}, {first.shape[0]}))."
        )
