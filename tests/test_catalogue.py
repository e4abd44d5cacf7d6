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


# Symlinks and names that are not Unicode


def names(image_df, root):
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in image_df["img_path"]]


@pytest.fixture
def snapshot(tmp_path):
    """A dataset as the Hugging Face hub keeps it: names in one folder, contents in another."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123abcd"
    (snapshot / "red").mkdir(parents=True)
    for number, path in enumerate(draw_pictures(blobs, 3)):
        os.rename(path, blobs / f"sha{number}")
        os.symlink(f"../../../blobs/sha{number}", snapshot / "red" / f"{number}.png")
    return snapshot


def test_a_folder_of_nothing_but_symlinks_is_an_error_that_names_them_and_the_way(snapshot):
    with pytest.raises(FileNotFoundError) as caught:
        simlib.load_catalogue(snapshot)
    said = str(caught.value)
    assert "3 symlinks were not followed: 'red/0.png' → '../../../blobs/sha0'; " in said
    assert "load_catalogue(folder, follow_links=True)" in said
    image_df = simlib.load_catalogue(snapshot, follow_links=True)
    assert names(image_df, snapshot) == ["red/0.png", "red/1.png", "red/2.png"]
    assert image_df["category"].tolist() == ["red"] * 3
    assert simlib.load_image(image_df["img_path"][2]).size == (24, 16)


def test_symlinks_that_lead_out_are_counted_and_named_in_one_warning(folder, tmp_path):
    draw_pictures(tmp_path / "outside", 12)
    for number in range(12):
        os.symlink(tmp_path / "outside" / f"{number:03}.png", folder / f"linked {number}.png")
    os.symlink(tmp_path / "outside", folder / "more")
    os.symlink("nowhere.png", folder / "broken.png")
    os.symlink("001.png", folder / "blue" / "again.png")  # inside: listed, as before
    os.symlink("red", folder / "same as red")  # listed in its own place
    os.symlink("nowhere.txt", folder / "no picture.txt")
    with pytest.warns(UserWarning) as heard:
        image_df = simlib.load_catalogue(folder)
    assert len(image_df) == 9 and len(heard) == 1 and heard[0].filename == __file__
    assert "14 symlinks were not followed: " in str(heard[0].message)
    assert "; and 4 more. To follow them" in str(heard[0].message)
    with pytest.warns(
        UserWarning, match="1 symlink was not followed: 'broken.png' → 'nowhere.png'.$"
    ):
        image_df = simlib.load_catalogue(folder, follow_links=True)
    assert len(image_df) == 9 + 12 + 12


def test_a_symlink_to_a_hidden_folder_is_named_since_it_is_listed_nowhere_else(folder):
    draw_pictures(folder / ".store" / "green", 2)
    os.symlink(".store/green", folder / "green")
    with pytest.warns(UserWarning, match="1 symlink was not followed: 'green'"):
        assert len(simlib.load_catalogue(folder)) == 8
    assert len(simlib.load_catalogue(folder, follow_links=True)) == 10


def test_cycles_of_symlinks_end_and_each_folder_is_listed_once(folder, tmp_path):
    draw_pictures(tmp_path / "outside" / "inner", 2)
    os.symlink(tmp_path, folder / "a folder above")  # which holds the folder itself
    os.symlink("..", folder / "red" / "up")
    os.symlink(tmp_path / "outside", folder / "out")
    os.symlink(tmp_path / "outside", folder / "out again")
    os.symlink(tmp_path / "outside", tmp_path / "outside" / "inner" / "round")
    os.symlink(folder, tmp_path / "outside" / "back")
    for name in ("x", "y"):  # two ways at each step: 2**30 paths, if each were walked
        os.symlink(tmp_path / "outside", tmp_path / "outside" / name)
    image_df = simlib.load_catalogue(folder, follow_links=True)
    assert len(image_df) == len({os.path.realpath(path) for path in image_df["img_path"]}) == 10


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that stores such names")
def test_names_that_are_not_unicode_are_named_and_skipped(folder):
    bytes_folder = os.fsencode(folder)
    draw_pictures(folder, 1)
    for name in (b"caf\xe9.png", b"caf\xe9/1.png"):
        path = os.path.join(bytes_folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write((folder / "000.png").read_bytes())
    with pytest.warns(UserWarning, match=r"2 could not be listed.*caf\\\\xe9.png'.*not Unicode"):
        image_df = simlib.load_catalogue(folder)
    assert len(image_df) == 8
    for name in (os.path.join(bytes_folder, b"caf\xe9"),):
        with pytest.raises(ValueError, match="is not Unicode; rename it"):
            simlib.load_catalogue(os.fsdecode(name))
