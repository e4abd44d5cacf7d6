"""Why do two pictures match? Which parts of them their similarity comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from simlib.encoders.base import Encoder
from simlib.figures import finish, panels_of, require_empty_figure, require_savable, tighten
from simlib.images import load_image

if TYPE_CHECKING:
    from simlib.figures import AnyFigure

__all__ = ["plot_match"]

Picture: TypeAlias = str | os.PathLike[str] | Image.Image


def plot_match(
    first: Picture,
    second: Picture,
    encoder: Encoder,
    *,
    figure: AnyFigure | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw which parts of two pictures make them similar.

    The embedding of a convolutional network is the mean of its last feature maps over all places,
    so a cosine similarity is a sum over places: each adds the dot product of its own features with
    the other picture's embedding, divided by both lengths and the number of places. The heat over a
    picture, drawn in grey as the network reads it, is what each of its places adds. Source:
    Stylianou et al., "Visualizing Deep Similarity Networks" (https://arxiv.org/abs/1901.00536).

    Parameters
    ----------
    first, second : path or PIL.Image.Image
        A query and one of its neighbours.
    encoder : Encoder
        One with ``feature_maps``: ``load_encoder("towhee")``, or ``load_encoder("timm:…")``.
    figure : matplotlib.figure.Figure or SubFigure, optional
        An empty one to draw into; by default a new one of pyplot's.
    save : str or path, optional
        Also saves the figure there, in the format that the name ends with.

    Returns
    -------
    numpy.ndarray
        float32 ``(2, rows, columns)``: what each place of either picture adds. Both sum to the
        cosine similarity of the two mean feature maps, which for networks that end with a mean is
        that of the two embeddings.

    Raises
    ------
    TypeError
        If the encoder has no feature maps.
    simlib.ImageError
        If a picture can't be read.
    ValueError, FileNotFoundError
        As :func:`simlib.plot_similar` raises them, for ``figure`` and ``save``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import simlib
    >>> bags = simlib.load_catalogue("sample").query("category == 'handbag'")["img_path"]
    >>> encoder = simlib.load_encoder("towhee", device="cpu")
    >>> parts = plot_match(bags.iloc[0], bags.iloc[1], encoder)
    >>> parts.shape, bool(np.isclose(parts[0].sum(), parts[1].sum(), atol=1e-4))
    ((2, 7, 7), True)
    """
    require_empty_figure(figure)
    require_savable(save)
    if not hasattr(encoder, "feature_maps"):
        raise TypeError(
            f"{encoder!r} has no feature maps, so which parts of its pictures agree can't be told. "
            'Use load_encoder("towhee"), or a network of timm\'s: load_encoder("timm:…").'
        )
    pictures = [one if isinstance(one, Image.Image) else load_image(one) for one in (first, second)]
    pictures = [picture.convert("RGB") for picture in pictures]
    parts = parts_of(encoder.feature_maps(pictures))
    similarity = float(parts[0].sum())
    with panels_of(2, 2, (5.0, 2.8), figure) as (drawn, axes):
        for axis, picture, heat, caption in zip(
            axes, pictures, parts, ("query", "match"), strict=True
        ):
            pixels = np.asarray(encoder.prepare(picture))
            grey = pixels.mean(axis=0 if pixels.shape[0] == 3 else 2)  # channels first, or last
            over = (-0.5, grey.shape[1] - 0.5, grey.shape[0] - 0.5, -0.5)
            axis.imshow(grey, cmap="gray")
            axis.imshow(
                heat, cmap="inferno", alpha=0.55, extent=over, interpolation="bilinear",
                vmin=min(0.0, float(parts.min())), vmax=float(parts.max()),
            )  # fmt: skip
            axis.set(xticks=[], yticks=[])
            axis.set_title(caption, fontsize=8, pad=2)
        drawn.suptitle(f"cosine similarity {similarity:.2f}", fontsize=10)
        tighten(drawn, pad=0.4)
        finish(
            drawn,
            "Two pictures under a heat map each, bright where they add most to their cosine "
            f"similarity of {similarity:.2f}.",
            save,
        )
    return parts


def parts_of(maps: np.ndarray) -> np.ndarray:
    """Return what each place of two pictures adds to the cosine similarity of their mean features.

    Parameters
    ----------
    maps : numpy.ndarray
        Feature maps, ``(2, channels, rows, columns)``.

    Returns
    -------
    numpy.ndarray
        float32 ``(2, rows, columns)``; 0 where a picture has no features at all.

    Examples
    --------
    >>> maps = np.zeros((2, 3, 1, 2))
    >>> maps[0, 0, 0, 0] = maps[1, 0, 0, 1] = 5  # the same feature, left and right
    >>> parts_of(maps).tolist()
    [[[1.0, 0.0]], [[0.0, 1.0]]]
    """
    means = maps.mean(axis=(2, 3))  # (2, channels)
    lengths = np.linalg.norm(means, axis=1)
    scale = lengths.prod() * maps.shape[2] * maps.shape[3]
    if scale == 0:
        return np.zeros((2, *maps.shape[2:]), dtype=np.float32)
    return (np.einsum("icyx,ic->iyx", maps, means[::-1]) / scale).astype(np.float32)
