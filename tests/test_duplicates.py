"""What a user loses when these fail: a catalogue without repetitions, and with all else."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

import simlib
from simlib import exact
from simlib.measuring.duplicates import Duplicates, find_duplicates


def with_copy(image_df, change, suffix="jpg"):
    """The pictures, and a changed copy of the third behind them."""
    original = image_df["img_path"].iloc[2]
    path = f"{original}-copy.{suffix}"
    change(simlib.load_image(original)).save(path)
    return pd.concat([image_df, pd.DataFrame({"img_path": [path]})], ignore_index=True)


def as_jpeg(image, quality=50):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.fixture(scope="module")
def products():
    return simlib.load_catalogue("sample").groupby("category").head(1).reset_index(drop=True)


@pytest.fixture
def product_df(products, tmp_path):
    """Twelve products of the sample, copied to where a test may write."""
    paths = [tmp_path / f"{number}.jpg" for number in range(12)]
    for path, source in zip(paths, products["img_path"], strict=False):
        path.write_bytes(open(source, "rb").read())
    return pd.DataFrame({"img_path": list(map(str, paths))})


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        as_jpeg,
        lambda image: image.resize((112, 112)),
        lambda image: image.resize((448, 448)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.9),
        lambda image: ImageEnhance.Contrast(image).enhance(0.9),
    ],
)
def test_a_copy_is_found_in_another_size_quality_or_light(product_df, change):
    found = find_duplicates(with_copy(product_df, change))
    assert found["index"].tolist() == [2, 12] and found["group"].tolist() == [0, 0]
    assert found["cosine_similarity"].iloc[0] == pytest.approx(1)
    assert 0.99 <= found["cosine_similarity"].iloc[1] <= 1 + 1e-9


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.rotate(10, fillcolor="white"),
        lambda image: image.crop((30, 30, 194, 194)),
    ],
)
def test_another_view_is_no_copy(product_df, change):
    assert find_duplicates(with_copy(product_df, change)).empty


def test_different_products_are_no_copies(products):
    found = find_duplicates(products)
    assert found.empty
    assert list(found.columns) == ["group", "index", "img_path", "cosine_similarity"]
    assert len(find_duplicates(products, threshold=0.5)) > 2  # it is the threshold that decides


def test_groups_are_numbered_and_listed_in_the_frames_order(product_df, monkeypatch):
    monkeypatch.setattr(exact, "CHUNK_BYTES", 500)  # so that there are many blocks
    order = [5, 0, 3, 5, 9, 0, 5]
    frame = product_df.iloc[order].set_axis(list("abcdefg"))
    found = find_duplicates(frame)
    assert found["group"].tolist() == [0, 0, 0, 1, 1]
    assert found["index"].tolist() == list("adgbf")
    assert found["img_path"].tolist() == frame["img_path"][list("adgbf")].tolist()


def test_a_chain_of_pairs_is_one_group():
    degrees = np.deg2rad([0, 5, 10, 15, 60, 90])
    frame = pd.DataFrame({"img_path": list("abcdef")})
    frame["own"] = list(np.stack([np.cos(degrees), np.sin(degrees)], axis=1))
    found = find_duplicates(frame, "own", threshold=np.cos(np.deg2rad(6)))
    assert found["index"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found["cosine_similarity"], np.cos(degrees[:4]), atol=1e-6)


def test_pictures_of_one_colour_equal_only_those_of_the_same(tmp_path):
    paths = []
    for number, colour in enumerate(["white", "black", "white", "red", "grey", "black"]):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.new("RGB", (30, 20), colour).save(paths[-1])
    found = find_duplicates(pd.DataFrame({"img_path": paths}))
    assert found.groupby("group")["index"].apply(list).tolist() == [[0, 2], [1, 5]]


def test_what_can_not_be_compared_is_counted(product_df):
    frame = pd.concat([product_df, pd.DataFrame({"img_path": ["gone.jpg", "gone.jpg"]})])
    found = find_duplicates(frame)
    assert found.empty and found.attrs["left_out"] == 2
    frame["own"] = [[0.0, 0.0]] * 3 + [[1.0, 2.0]] * 2 + [None] * 9
    found = find_duplicates(frame, "own")
    assert found["index"].tolist() == [3, 4] and found.attrs["left_out"] == 12


def test_a_threshold_that_is_no_similarity_is_named(product_df):
    for wrong in (0, -1, 1.5, 99):
        with pytest.raises(ValueError, match=f"threshold={wrong} is no cosine similarity"):
            find_duplicates(product_df, threshold=wrong)


def test_two_photos_that_are_one_are_found_under_two_labels(photos):
    """The photos themselves hold such a pair; nothing else among these is alike."""
    folders = [simlib.load_catalogue(photos / "train" / name) for name in ("shorts", "skirt")]
    frame = pd.concat(folders, ignore_index=True)
    found = find_duplicates(frame)
    assert len(found) == 2 and found["cosine_similarity"].min() > 0.999
    assert {path.split("/")[-2] for path in found["img_path"]} == {"shorts", "skirt"}


def test_without_paths_embeddings_are_compared_all_the_same():
    frame = pd.DataFrame({"own": [[1, 0], [0, 1], [2, 0]]})
    found = simlib.find_duplicates(frame, "own")
    assert found["index"].tolist() == [0, 2] and found["img_path"].isna().all()
    with pytest.raises(KeyError, match="no column 'img_path'; it has: own. .*rename"):
        simlib.find_duplicates(frame)


def test_of_each_group_the_first_stays_with_all_its_columns(product_df):
    frame = product_df.iloc[[5, 0, 3, 5, 9, 0, 5]].set_axis(list("ddgabee"))  # labels repeat
    frame = frame.assign(price=range(7))
    found = find_duplicates(frame)
    first = found.keep_first()
    pd.testing.assert_frame_equal(first, frame.iloc[[0, 1, 2, 4]])
    assert type(first) is pd.DataFrame
    assert all(open(path, "rb").read(1) for path in product_df["img_path"])  # no file is gone
    again = find_duplicates(first)
    assert again.empty
    pd.testing.assert_frame_equal(again.keep_first(), first)


def test_of_a_chain_only_its_first_stays_and_what_can_not_be_compared_too():
    degrees = np.deg2rad([90, 0, 5, 10, 15, 60, 90])
    frame = pd.DataFrame({"img_path": list("abcdefg")})
    frame["own"] = list(np.stack([np.cos(degrees), np.sin(degrees)], axis=1))
    frame.at[5, "own"] = None
    found = find_duplicates(frame, "own", threshold=np.cos(np.deg2rad(6)))
    assert found["index"].tolist() == [0, 6, 1, 2, 3, 4]
    assert found.keep_first()["img_path"].tolist() == ["a", "b", "f"]


def test_the_table_is_a_frame_that_can_be_filtered_and_kept(product_df, tmp_path):
    frame = product_df.iloc[[0, 1, 0]].reset_index(drop=True)
    found = find_duplicates(frame)
    expected = found.keep_first()
    assert type(found[found["cosine_similarity"] > 0.5]) is pd.DataFrame
    pd.testing.assert_frame_equal(pd.DataFrame(found), found, check_frame_type=False)
    found.to_pickle(tmp_path / "found.pickle")
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "found.pickle").keep_first(), expected)
    frame.loc[:, "img_path"] = "another"  # changing the frame later does not change the answer
    del frame["img_path"]
    assert found.keep_first().index.tolist() == [0, 1]
    with pytest.raises(ValueError, match="does not know which frame.*Search it again"):
        Duplicates(found).keep_first()
