"""What a user loses when these fail: knowing what an embedding overlooks and what throws it off."""

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from PIL import Image, ImageDraw

import simlib
from simlib.measuring.robustness import (
    CHANGES,
    measure_robustness,
    other_background,
    shifted,
    turned,
)


class Brightness(AverageColours):
    """Sees the mean of the red and of the blue channel, and nothing of place or shape."""

    column = "brightness"
    dim = 2

    def encode_prepared(self, batch):
        return batch.mean(axis=(1, 2))[:, [0, 2]].astype(np.float32)  # (n, 2)


@pytest.fixture
def product():
    """A black ring with a white middle on white."""
    image = Image.new("RGB", (100, 80), "white")
    ImageDraw.Draw(image).ellipse((20, 10, 79, 69), outline="black", width=5)
    return image


def test_an_embedding_moves_as_far_as_the_cosine_says(image_df):
    """Flipping red and blue swaps the two numbers that this encoder sees."""
    encoder = Brightness()
    swap = {"swapped": lambda image: Image.merge("RGB", image.split()[::-1])}
    table = measure_robustness(image_df, [encoder], swap, pictures=12, k=1, progress=False)
    rows = np.stack(simlib.embed(image_df, encoder, progress=False)["brightness"]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    moved = 1 - (rows * rows[:, ::-1]).sum(axis=1).mean()
    others = 1 - (rows @ rows.T)[~np.eye(12, dtype=bool)].mean()
    assert table["pictures"].item() == 12
    assert table["moved"].item() == pytest.approx(moved, abs=1e-6)
    assert table["relative"].item() == pytest.approx(moved / others, rel=1e-3)


def test_kept_neighbours_are_those_found_before_and_after(image_df):
    """A picture that turns into another one has that one's neighbours."""
    encoder = AverageColours()
    frame = simlib.embed(image_df, encoder, progress=False)
    target = simlib.load_image(image_df["img_path"].iloc[5])
    table = measure_robustness(frame, [encoder], {"replaced": lambda _: target}, 12, k=3)
    kept = []
    for label in frame.index:
        before = set(simlib.nearest(frame, "average_colours", label, 3)["index"])
        after = simlib.nearest(frame.drop(label), "average_colours", frame["average_colours"][5], 3)
        kept.append(len(before & set(after["index"])) / 3)
    assert table["kept"].item() == pytest.approx(np.mean(kept))
    unchanged = measure_robustness(frame, [encoder], {"same": lambda image: image}, 12, k=3)
    assert unchanged["kept"].item() == 1 and unchanged["moved"].item() == pytest.approx(0, abs=1e-6)


def test_every_encoder_sees_the_same_changed_pictures(image_df):
    pixels = simlib.load_encoder("pixels")
    encoders = {"a": AverageColours(), "b": AverageColours(), "pixels": pixels}
    table = measure_robustness(image_df, encoders, pictures=5, progress=False)
    assert table["change"].tolist() == list(CHANGES) * 3
    a, b = (table[table["encoder"] == name].drop(columns="encoder") for name in "ab")
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True))
    again = measure_robustness(image_df, encoders, pictures=5, progress=False)
    pd.testing.assert_frame_equal(table, again)
    assert table.query("change == 'mirror image'")["moved"].min() > 0.01


def test_a_change_that_does_not_apply_is_counted_out(image_df, tmp_path, product):
    path = tmp_path / "white.png"
    product.save(path)
    one = pd.DataFrame({"img_path": [str(path), "gone.jpg"]})
    frame = pd.concat([image_df, one], ignore_index=True)
    table = measure_robustness(frame, [AverageColours()], pictures=99, k=2, progress=False)
    counts = table.set_index("change")["pictures"]
    assert counts.pop("other background") == 1  # the others have no white background
    assert (counts == 13).all()  # the one that can't be read is not among them
    no_change = {"none": lambda _: None}
    none = measure_robustness(image_df, [AverageColours()], no_change, progress=False)
    assert none["pictures"].item() == 0 and none[["moved", "kept"]].isna().all(axis=None)


def test_only_the_white_around_a_product_is_background(product):
    changed = other_background(product, colour=(1, 2, 3))
    assert changed.size == product.size
    assert changed.getpixel((0, 0)) == changed.getpixel((99, 79)) == (1, 2, 3)
    assert changed.getpixel((50, 40)) == (255, 255, 255)  # inside the ring
    assert changed.getpixel((50, 12)) == (0, 0, 0)
    assert other_background(Image.new("RGB", (50, 50), "red")) is None


def test_a_turn_and_a_shift_fill_up_with_the_colour_of_the_rim(product):
    inverse = Image.eval(product, lambda value: 255 - value)
    for image, rim in ((product, (255, 255, 255)), (inverse, (0, 0, 0))):
        assert turned(image).getpixel((0, 0)) == rim
        moved = shifted(image)
        assert moved.getpixel((3, 3)) == rim
        assert moved.getpixel((60, 20)) == image.getpixel((50, 12))


def test_a_catalogue_that_is_too_small_says_so(image_df):
    with pytest.raises(ValueError, match="k=12 is out of range: the gallery offers 11"):
        measure_robustness(image_df, [AverageColours()], k=12, progress=False)
