"""What a user loses when these fail: pictures left out, or labelled wrong from the start."""

import os
import sys

import pandas as pd
import pytest

import simlib
from conftest import draw_pictures
from simlib import catalogue


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "shop"
    for name, count in (("red", 3), ("blue", 2), ("blue/dark", 2), (".", 1)):
        draw_pictures(root / name, count)
    (root / "red" / "prices.csv").write_text("1,2")
    (root / "red" / ".hidden.png").write_bytes(b"")
    (root / "empty").mkdir()
    return root


def test_every_picture_below_a_folder_is_listed_with_its_folder(folder):
    image_df = simlib.load_catalogue(folder)
    assert isinstance(image_df.index, pd.RangeIndex) and len(image_df) == 8
    assert all(isinstance(path, str) and os.path.isfile(path) for path in image_df["img_path"])
    assert image_df["img_path"].is_unique
    for path, category in zip(image_df["img_path"], image_df["category"], strict=True):
        name = os.path.basename(os.path.dirname(path))
        assert pd.isna(category) if name == "shop" else category == name
    assert image_df["category"].value_counts().to_dict() == {"red": 3, "blue": 2, "dark": 2}


def test_a_folder_may_be_named_in_any_way(folder, monkeypatch):
    expected = simlib.load_catalogue(folder)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in ("shop", "./shop/", str(folder) + os.sep, "shop/../shop", "~/shop"):
        if name.startswith("~") and sys.platform == "win32":
            continue
        found = simlib.load_catalogue(name)
        assert found["category"].equals(expected["category"])
        pairs = zip(found["img_path"], expected["img_path"], strict=True)
        assert all(os.path.samefile(*pair) for pair in pairs)
    monkeypatch.chdir(folder)
    assert simlib.load_catalogue(".")["category"].equals(expected["category"])


def test_paths_still_hold_after_the_notebook_changed_its_folder(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    image_df = simlib.load_catalogue("shop")
    monkeypatch.chdir(tmp_path.parent)
    assert all(os.path.isfile(path) for path in image_df["img_path"])


def test_a_folder_that_is_not_there_or_empty_is_named(folder):
    with pytest.raises(FileNotFoundError, match="no folder.*nowhere'.*'sample'"):
        simlib.load_catalogue("nowhere")
    with pytest.raises(FileNotFoundError, match="empty' nor a folder below it holds a picture"):
        simlib.load_catalogue(folder / "empty")
    with pytest.raises(FileNotFoundError, match="no folder"):
        simlib.load_catalogue(folder / "000.png")


def test_every_picture_of_the_sample_is_there_and_described():
    if not (catalogue.SAMPLE_FOLDER / "products.csv").is_file():
        pytest.fail("data/sample is missing: every notebook begins with it")
    image_df = simlib.load_catalogue("sample")
    assert list(image_df)[0] == "img_path" and len(image_df) > 1000
    assert {"category", "colour", "pattern", "title", "department"} <= set(image_df)
    assert image_df.notna().all().all() and image_df["img_path"].is_unique
    listed = {os.path.relpath(path, catalogue.SAMPLE_FOLDER) for path in image_df["img_path"]}
    lying = simlib.load_catalogue(catalogue.SAMPLE_FOLDER)["img_path"]
    assert listed == {os.path.relpath(path, catalogue.SAMPLE_FOLDER) for path in lying}


def test_the_photos_have_their_ten_classes(photos):
    image_df = simlib.load_catalogue(photos / "validation")
    assert image_df["category"].nunique() == 10 and len(image_df) == 341
