"""All four strategies on real photos: the table of the README.

    python benchmarks/compare_on_photos.py PHOTOS

PHOTOS is the clothing data set, with ``train/`` and ``validation/``; ``data/README.md`` says how to
get it. The queries are the validation photos, which no compact weights were trained on. The gallery
is once the training photos, once the validation photos themselves. The compact image-text model was
trained on the training photos *with their classes*, SimCLR on the same photos without, so for these
two only the second is a test on unseen pictures. Prints Markdown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import simlib

K = 5
TITLES = {
    "pixels": "flattened pixels, 64 × 64",
    "towhee": "classifier, EfficientNet-Lite0",
    "simclr": "SimCLR, our own ResNet-18",
    "clip": "image-text network, our own",
}
OPTIONS = {"pixels": {"size": (64, 64)}}


def with_interval(values: pd.Series) -> str:
    if np.isnan(values["mean"]):
        return ""
    return f"{values['mean']:.2f} ({values['low']:.2f}–{values['high']:.2f})"


def print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main(photos: Path, names: list[str]) -> None:
    validation = simlib.load_catalogue(photos / "validation")
    train = simlib.load_catalogue(photos / "train")
    encoders = {TITLES[name]: simlib.load_encoder(name, **OPTIONS.get(name, {})) for name in names}
    duplicates = simlib.find_duplicates(pd.concat([validation, train], ignore_index=True))
    options = {"label_cols": ["category"], "k": K, "leave_out_duplicates": duplicates}
    across = simlib.compare(validation, encoders, gallery_df=train, timed=0, **options)
    within = simlib.compare(validation, encoders, timed=128, **options)

    precision, text = f"precision@{K} by category", f"text precision@{K} by category"
    print(
        f"\n{len(validation):,} validation photos as queries, {len(train):,} training photos, "
        f"{validation['category'].nunique()} classes; near-duplicates: {len(duplicates)} photos in "
        f"{duplicates['group'].nunique()} groups.\n"
    )
    print_row(
        "embedding",
        "numbers a picture",
        "seconds per 1,000 pictures",
        f"precision@{K} among training photos",
        "mAP@R",
        f"precision@{K} among each other",
        "mAP@R",
        f"words → photos, precision@{K}",
    )
    print_row(*["---"] * 8)
    chance = [f"{table.attrs['chance'][precision]:.2f}" for table in (across, within)]
    print_row("chance", "", "", chance[0], "", chance[1], "", f"{within.attrs['chance'][text]:.2f}")
    for title in encoders:
        cost = within.loc[title, "cost"]
        print_row(
            title,
            f"{cost['dimensions']:,.0f}",
            f"{cost['seconds per 1,000']:.1f}",
            with_interval(across.loc[title, precision]),
            with_interval(across.loc[title, "mAP@R by category"]),
            with_interval(within.loc[title, precision]),
            with_interval(within.loc[title, "mAP@R by category"]),
            with_interval(within.loc[title, text]) if text in within else "",
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:] or list(TITLES))
