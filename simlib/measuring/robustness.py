"""How far an embedding moves when the picture changes, but not what it shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance

from simlib.columns import Embeddings
from simlib.encoders.base import Encoder
from simlib.exact import top_k
from simlib.images import ImageError, load_image
from simlib.measuring.comparison import named, with_embedding
from simlib.progress import progress_bar

__all__ = ["CHANGES", "measure_robustness"]

NEAR_WHITE = 230
"""From this value on in all three channels a pixel may be background."""

LEAST_BACKGROUND = 0.2
"""A picture with a smaller share of background than this keeps it."""


def mirrored(image: Image.Image) -> Image.Image:
    """Return the mirror image."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def turned(image: Image.Image, degrees: float = 15) -> Image.Image:
    """Return the picture turned anticlockwise; the corners take the colour of its rim."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=_rim_colour(image))


def shifted(image: Image.Image, share: float = 0.1) -> Image.Image:
    """Return the picture shifted to the right and down by a share of its sides."""
    moved = Image.new("RGB", image.size, _rim_colour(image))
    moved.paste(image, (round(share * image.width), round(share * image.height)))
    return moved


def other_background(
    image: Image.Image, colour: tuple[int, int, int] = (110, 140, 170)
) -> Image.Image | None:
    """Return the picture with its white background in another colour, or None if it has none.

    Background is what is nearly white (all channels from 230 on) and connected with the rim of the
    picture, so that a white shirt keeps its colour as long as a line surrounds it.
    """
    from scipy.ndimage import label

    pixels = np.asarray(image)
    areas, _ = label((pixels >= NEAR_WHITE).all(axis=2))
    rim = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
    background = np.isin(areas, rim[rim > 0])  # (height, width)
    if background.mean() < LEAST_BACKGROUND:
        return None
    return Image.fromarray(np.where(background[..., None], np.array(colour, np.uint8), pixels))


def darker(image: Image.Image, factor: float = 0.6) -> Image.Image:
    """Return the picture with its brightness multiplied."""
    return ImageEnhance.Brightness(image).enhance(factor)


def compressed(image: Image.Image, quality: int = 10) -> Image.Image:
    """Return the picture as a small JPEG leaves it."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image], Image.Image | None]] = {
    "mirror image": mirrored,
    "turned by 15°": turned,
    "shifted by a tenth": shifted,
    "other background": other_background,
    "darker by 40%": darker,
    "JPEG of quality 10": compressed,
}
"""What :func:`measure_robustness` tries by default."""


def measure_robustness(
    image_df: pd.DataFrame,
    encoders: Sequence[Encoder] | Mapping[str, Encoder],
    changes: Mapping[str, Callable[[Image.Image], Image.Image | None]] | None = None,
    pictures: int = 64,
    k: int = 5,
    progress: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how far embeddings move, and which neighbours stay, when pictures are changed.

    Parameters
    ----------
    image_df : pandas.DataFrame
        The catalogue in which neighbours are looked for, with ``img_path``.
    encoders : sequence or mapping of Encoder
        As :func:`simlib.compare` takes them.
    changes : mapping of str to callable, optional
        What is done to a picture: each takes an RGB picture and returns one of the same size, or
        None where it does not apply. By default :data:`CHANGES`: a mirror image, turned by 15
        degrees, shifted by a tenth of its sides, another colour in place of a white background,
        darker, and compressed.
    pictures : int
        How many pictures of the catalogue are changed, drawn at random.
    k : int
        How many neighbours are compared.
    progress : bool
        Whether to show progress bars, while the catalogue and the changed pictures are embedded.
    seed : int
        Which pictures are drawn.

    Returns
    -------
    pandas.DataFrame
        A row for each encoder and change: ``encoder``, ``change``, ``pictures`` (to how many it
        applied), ``moved`` (the mean of 1 - cosine similarity between a picture and itself
        changed), ``relative`` (the same in units of the mean 1 - cosine similarity to any other
        picture: 1 means as far away as chance) and ``kept`` (the share of the k nearest neighbours
        that are still among the k nearest; the picture itself never counts). ``moved`` can't be
        compared between encoders, whose scales differ; ``relative`` and ``kept`` can.

    Raises
    ------
    KeyError
        If the frame has no column ``img_path``.
    ValueError
        If the catalogue has no more than ``k`` pictures, or a change gives another size to an
        encoder that needs equal ones.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").groupby("category").head(2)
    >>> pixels = simlib.load_encoder("pixels", size=(16, 16))
    >>> table = measure_robustness(image_df, [pixels], pictures=8, progress=False)
    >>> table.set_index("change")["relative"].round(1)["mirror image":"shifted by a tenth"]
    change
    mirror image          0.5
    turned by 15°         0.3
    shifted by a tenth    0.9
    Name: relative, dtype: float64
    """
    changes = CHANGES if changes is None else changes
    chosen, originals = _draw(image_df, pictures, seed)
    changed = {name: [change(image) for image in originals] for name, change in changes.items()}
    encoders = named(encoders)
    rows = []
    with progress_bar(
        "changed pictures", " changes", len(encoders) * len(changes), progress
    ) as bar:
        for name, encoder in encoders.items():
            frame = with_embedding(image_df, encoder, progress)
            gallery = Embeddings.of(frame, encoder.column)
            gallery = gallery.some(gallery.have_direction())
            place_of = dict(zip(gallery.positions.tolist(), range(len(gallery)), strict=True))
            usable = [number for number, position in enumerate(chosen) if position in place_of]
            own = np.array([place_of[chosen[number]] for number in usable], dtype=np.int64)
            before = _unit(gallery.take(own))  # (usable, dim)
            neighbours = _search(before, gallery, own, k)
            others = _mean_distance(before, gallery)
            for change, images in changed.items():
                pairs = [(at, images[number]) for at, number in enumerate(usable)]
                applied = [at for at, image in pairs if image is not None]
                row = {"encoder": name, "change": change, "pictures": len(applied)}
                if applied:
                    after = _unit(
                        _encode(encoder, [image for _, image in pairs if image is not None])
                    )
                    kept = _search(after, gallery, own[applied], k)
                    moved = 1 - np.vecdot(before[applied], after).mean()
                    same = [
                        np.isin(first, second).mean()
                        for first, second in zip(neighbours[applied], kept, strict=True)
                    ]
                    row |= {"moved": moved, "relative": moved / others, "kept": np.mean(same)}
                rows.append(row)
                bar.update()
    columns = ["encoder", "change", "pictures", "moved", "relative", "kept"]
    return pd.DataFrame(rows, columns=columns)


def _rim_colour(image: Image.Image) -> tuple[int, int, int]:
    """Return the median colour of a picture's outermost pixels."""
    pixels = np.asarray(image)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # (n, 3)
    return tuple(np.median(rim, axis=0).astype(int).tolist())


def _draw(image_df: pd.DataFrame, pictures: int, seed: int) -> tuple[list[int], list[Image.Image]]:
    """Return the positions of some pictures that can be read, and the pictures."""
    order = np.random.default_rng(seed).permutation(len(image_df)).tolist()
    paths = image_df["img_path"].to_numpy()
    chosen: list[int] = []
    images: list[Image.Image] = []
    for position in order:
        if len(chosen) == pictures:
            break
        try:
            images.append(load_image(paths[position]))
        except ImageError:
            continue
        chosen.append(position)
    return chosen, images


def _encode(encoder: Encoder, images: list[Image.Image]) -> np.ndarray:
    parts = [encoder.encode(images[start : start + 32]) for start in range(0, len(images), 32)]
    return np.concatenate(parts)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _mean_distance(rows: np.ndarray, gallery: Embeddings) -> float:
    """Return the mean of 1 - cosine similarity of some of a gallery's rows to all its others."""
    total = np.zeros(gallery.dim)
    for part, chunk in gallery.chunks():
        total += (chunk / gallery.norms()[part, None]).sum(0, dtype=np.float64)
    others = rows @ total - 1  # (q,); 1 is the similarity of a row to itself
    return float(1 - others.mean() / (len(gallery) - 1))


def _search(rows: np.ndarray, gallery: Embeddings, own: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k nearest, ``(q, k)``."""
    queries = Embeddings.of_matrix(rows.astype(np.float32))
    return top_k(queries, gallery, k, own)[0]
