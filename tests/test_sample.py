"""The embedded catalogue is whole, small, truly labelled, and can be drawn again."""

from __future__ import annotations

import colorsys
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
COLOURS = {
    "black", "white", "grey", "red", "orange", "yellow",
    "green", "blue", "purple", "pink", "brown", "beige",
}  # fmt: skip
# Hues, in degrees, that a person still calls by the name; folds and light shift them a little.
HUES = {
    "red": (335, 375), "orange": (12, 38), "yellow": (40, 62), "green": (85, 170),
    "blue": (200, 245), "purple": (250, 300), "pink": (312, 360),
}  # fmt: skip


@pytest.fixture(scope="module")
def products() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "products.csv")


@pytest.fixture(scope="module")
def drawing():
    pytest.importorskip("skia", reason="skia-python is not installed (data/make/requirements.txt)")
    sys.path.insert(0, str(ROOT / "data" / "make"))
    try:
        yield __import__("drawing")
    finally:
        sys.path.remove(str(ROOT / "data" / "make"))


def product_colour(path: Path) -> tuple[float, float, float]:
    """Return hue in degrees, saturation and lightness of what differs from the background."""
    pixels = np.asarray(Image.open(path)).astype(float)
    border = np.concatenate([pixels[:3].reshape(-1, 3), pixels[:, :3].reshape(-1, 3)])
    product = pixels[np.abs(pixels - np.median(border, axis=0)).max(axis=-1) > 30]
    hue, lightness, saturation = colorsys.rgb_to_hls(*(np.median(product, axis=0) / 255))
    return hue * 360, saturation, lightness


def test_every_row_has_its_picture_and_every_picture_its_row(products):
    there = {path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*.jpg")}
    assert there == set(products["file"])
    assert products["file"].is_unique
    others = {path.name for path in SAMPLE.rglob("*") if path.is_file() and path.suffix != ".jpg"}
    assert others <= {"products.csv"}


def test_every_cell_is_filled(products):
    assert list(products.columns) == [
        "file",
        "department",
        "category",
        "colour",
        "pattern",
        "title",
    ]
    assert not products.isna().any().any()
    for row in products.itertuples():
        assert row.colour in row.title
        assert row.pattern == "plain" or row.pattern in row.title


def test_every_picture_is_a_rgb_jpeg_of_224_pixels(products):
    for name in products["file"]:
        with Image.open(SAMPLE / name) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (224, 224)), name


def test_the_catalogue_stays_small_enough_to_clone(products):
    assert sum((SAMPLE / name).stat().st_size for name in products["file"]) < 8_000_000


def test_each_colour_folder_holds_only_its_colour(products):
    assert (products["file"].str.split("/").str[0] == products["colour"]).all()


def test_the_catalogue_is_broad_and_balanced(products):
    assert set(products["colour"]) == COLOURS
    assert set(products["pattern"]) == {"plain", "striped", "dotted", "checked"}
    assert products["category"].nunique() >= 24
    assert products["department"].nunique() == 7
    per_pair = products.groupby(["category", "colour"]).size()
    assert len(per_pair) == products["category"].nunique() * len(COLOURS)
    assert per_pair.nunique() == 1
    assert products["pattern"].eq("plain").mean() > 0.5


def test_no_picture_is_there_twice(products):
    pictures = {(SAMPLE / name).read_bytes() for name in products["file"]}
    assert len(pictures) == len(products)


def test_the_colour_is_the_products_own(products):
    cloth = ["t-shirt", "cardigan", "jeans", "shorts", "sweatshirt", "handbag", "umbrella"]
    plain = products[products["category"].isin(cloth) & products["pattern"].eq("plain")]
    assert set(plain["colour"]) == COLOURS
    measured = defaultdict(list)
    for row in plain.itertuples():
        hue, saturation, lightness = product_colour(SAMPLE / row.file)
        measured[row.colour].append(lightness)
        if row.colour in HUES:
            low, high = HUES[row.colour]
            assert low <= hue <= high or low <= hue + 360 <= high, (row.file, hue)
            assert saturation > 0.15, (row.file, saturation)
        elif row.colour in ("brown", "beige"):
            assert 8 <= hue <= 55, (row.file, hue)
        else:
            assert saturation < 0.25, (row.file, saturation)
    light = {colour: np.mean(values) for colour, values in measured.items()}
    assert light["black"] < light["grey"] - 0.1 < light["white"] - 0.2
    assert light["brown"] < light["orange"] and light["brown"] < light["beige"] - 0.2
    assert light["red"] < light["pink"] - 0.1


def test_the_script_draws_the_same_pictures_again(products, drawing):
    rows = products.sort_values(["category", "file"])
    per_kind = int(rows.groupby("category").size().iloc[0])
    # skia rounds differently on other processors, and JPEG loses a little.
    for place, again in enumerate(islice(drawing.sample_drawings(per_kind), 3)):
        name = f"{again.colour}/{again.category.replace(' ', '-')}-{place + 1:03d}.jpg"
        row = rows[rows["file"] == name].iloc[0]
        assert (row.title, row.pattern) == (again.title, again.pattern)
        kept = np.asarray(Image.open(SAMPLE / name)).astype(float)
        assert np.abs(kept - np.asarray(again.image)).mean() < 3.0, name


def test_no_drawing_for_training_is_in_the_sample(products, drawing):
    # The sample as it was drawn: the same seeds give the same small pictures.
    def small(image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((28, 28), Image.Resampling.BOX)).astype(float).ravel()

    sample = np.stack([small(Image.open(SAMPLE / name)) for name in products["file"]])
    for seed in (0, 1, 2022):
        for drawn in islice(drawing.drawings(8, seed), 8):
            nearest = np.abs(sample - small(drawn.image)).mean(axis=1).min()
            assert nearest > 1.0, drawn.title
    first = next(drawing.sample_drawings(1))
    assert np.abs(sample - small(first.image)).mean(axis=1).min() < 1.0  # the measure does find it


def test_a_stream_of_drawings_repeats_and_is_balanced(drawing):
    one, other = (list(islice(drawing.drawings(6, seed=3), 6)) for _ in range(2))
    for left, right in zip(one, other, strict=True):
        assert left.title == right.title
        assert np.array_equal(np.asarray(left.image), np.asarray(right.image))
    assert [drawn.title for drawn in one] != [drawn.title for drawn in drawing.drawings(6, seed=4)]
