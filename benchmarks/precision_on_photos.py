"""Precision@5 by class on real photos: the table of the README.

    python benchmarks/precision_on_photos.py PHOTOS

PHOTOS has ``train/<class>/*.jpg``, the gallery, and ``validation/<class>/*.jpg``, the queries, as
the "clothing dataset, small" has (https://github.com/alexeygrigorev/clothing-dataset-small). The
compact image-text model is not among the encoders: it was trained on the gallery's class names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import simlib

ENCODERS = {
    "pixels": ("flattened pixels, 64 × 64", {"size": (64, 64)}),
    "towhee": ("classifier, EfficientNet-Lite0", {}),
    "simclr": ("SimCLR, our own ResNet-18", {}),
}


def interval(values: np.ndarray, resamples: int = 2_000, seed: int = 0) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the mean over queries (Efron, 1979)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), size=(resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main(photos: Path, names: list[str]) -> None:
    queries = simlib.load_catalogue(photos / "validation")
    gallery = simlib.load_catalogue(photos / "train")
    chance = queries["category"].map(gallery["category"].value_counts(normalize=True)).mean()
    print("| embedding | numbers a picture | precision@5 (95% interval) |")
    print("|---|---|---|")
    print(f"| chance | | {chance:.2f} |")
    for name in names:
        title, options = ENCODERS[name]
        encoder = simlib.load_encoder(name, **options)
        embedded = [simlib.embed(frame, encoder) for frame in (queries, gallery)]
        precision = simlib.precision_at_k(embedded[0], encoder.column, gallery_df=embedded[1])
        low, high = interval(precision.to_numpy())
        print(
            f"| {title} | {encoder.dim:,} | {precision.mean():.2f} ({low:.2f}–{high:.2f}) |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:] or list(ENCODERS))
