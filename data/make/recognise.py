"""Report how often an ImageNet network recognises the drawn products.

    python data/make/recognise.py                  # new drawings, 60 of each kind
    python data/make/recognise.py --sample         # the committed catalogue, data/sample
    python data/make/recognise.py --each 30 --kinds dress skirt --sheet sheet.png

Prints for each kind EfficientNet-Lite0's top-5 and top-1 accuracy, counting every label that fits
the kind as correct, and its most frequent first guesses. ``--sheet`` also writes a contact sheet
(green frame: a fitting label in the top 5).

Needs simlib's packages and skia-python (``data/make/requirements.txt``).
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from drawing import COLOURS, KINDS, draw
from PIL import Image, ImageDraw

from simlib.networks import efficientnet_lite0

SAMPLE = Path(__file__).resolve().parents[1] / "sample"


def logits(network, images: list[Image.Image]) -> np.ndarray:
    """Return the network's logits, float32 ``(n, 1000)``."""
    import torch

    rows = []
    for start in range(0, len(images), 32):
        batch = np.stack(
            [efficientnet_lite0.prepare(image) for image in images[start : start + 32]]
        )
        with torch.inference_mode():
            tensor = torch.from_numpy(batch).to(memory_format=torch.channels_last)
            rows.append(network(tensor).numpy())
    return np.concatenate(rows)


def fresh(kinds: list[str], each: int, seed: int) -> dict[str, list[Image.Image]]:
    """Return new drawings of each kind, in all colours and in the patterns of the kind."""
    images = defaultdict(list)
    for place, kind in enumerate(kinds):
        patterns = KINDS[kind].patterns
        for number in range(each):
            key = np.random.SeedSequence(entropy=seed, spawn_key=(9, place, number))
            rng = np.random.default_rng(key)
            colour = list(COLOURS)[number % len(COLOURS)]
            plain = rng.random() < 0.58
            pattern = "plain" if plain else patterns[int(rng.integers(len(patterns)))]
            images[kind].append(draw(kind, colour, pattern, rng).image)
    return images


def committed(kinds: list[str]) -> dict[str, list[Image.Image]]:
    """Return the pictures of the committed catalogue by kind."""
    images = defaultdict(list)
    for row in pd.read_csv(SAMPLE / "products.csv").itertuples():
        if row.category in kinds:
            images[row.category].append(Image.open(SAMPLE / row.file).convert("RGB"))
    return images


def fits(label: str, fitting: frozenset[str]) -> bool:
    """Return whether one of the label's synonyms is among the fitting ones."""
    return label in fitting or any(name.strip() in fitting for name in label.split(","))


def contact_sheet(images: list[Image.Image], known: list[bool], across: int = 12) -> Image.Image:
    """Return the pictures in a grid: a green frame where recognised, a red one where not."""
    down = -(-len(images) // across)
    side = 150
    sheet = Image.new("RGB", (across * side, down * side), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (image, good) in enumerate(zip(images, known, strict=True)):
        left, top = number % across * side, number // across * side
        sheet.paste(
            image.resize((side - 4, side - 4), Image.Resampling.LANCZOS), (left + 2, top + 2)
        )
        frame = "#1a9641" if good else "#d7191c"
        pen.rectangle((left, top, left + side - 1, top + side - 1), outline=frame, width=2)
    return sheet


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="the committed pictures")
    parser.add_argument("--each", type=int, default=60, help="fresh drawings of each kind")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kinds", nargs="*", default=None)
    parser.add_argument("--sheet", type=Path, default=None, help="write a contact sheet here")
    arguments = parser.parse_args()
    kinds = arguments.kinds or sorted(KINDS)
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        parser.error(f"unknown kinds {unknown}; there are {sorted(KINDS)}")
    images = committed(kinds) if arguments.sample else fresh(kinds, arguments.each, arguments.seed)
    names = efficientnet_lite0.class_names()
    network = efficientnet_lite0.build()
    all_images, all_known, shares = [], [], []
    print(f"{'kind':<16}{'n':>5}{'top-5':>8}{'top-1':>8}   most frequent best labels")
    for kind in kinds:
        if not images[kind]:
            continue
        order = np.argsort(-logits(network, images[kind]), axis=1)[:, :5]
        fitting = KINDS[kind].fitting_labels
        good = np.array([[fits(names[label], fitting) for label in row] for row in order])
        first = Counter(names[row[0]].split(",")[0] for row in order).most_common(4)
        found = ", ".join(f"{label} {count}" for label, count in first)
        top5, top1 = good.any(axis=1), good[:, 0]
        shares.append((top5.mean(), top1.mean()))
        print(f"{kind:<16}{len(top5):>5}{top5.mean():>8.0%}{top1.mean():>8.0%}   {found}")
        all_images += images[kind]
        all_known += top5.tolist()
    mean5, mean1 = np.mean(shares, axis=0)
    print(f"{'mean':<16}{len(all_images):>5}{mean5:>8.0%}{mean1:>8.0%}")
    if arguments.sheet:
        contact_sheet(all_images, all_known).save(arguments.sheet)


if __name__ == "__main__":
    main()
