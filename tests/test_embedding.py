"""What a user loses when these fail: hours of embedding, or rows that belong to other pictures."""

import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours, run_python, start_python, truth
from PIL import Image

import simlib
from conftest import draw_pictures
from simlib import images

needs_posix = pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals and limits")


def embed(image_df, encoder=None, **options):
    return simlib.embed(image_df, encoder or AverageColours(), **{"progress": False} | options)


def rows_of(image_df):
    return simlib.embedding_matrix(image_df, "average_colours")


# Right embeddings in the right rows


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
@pytest.mark.parametrize("workers", [1, 7])
def test_every_picture_gets_its_own_embedding_whatever_the_batches(image_df, batch_size, workers):
    embedded = embed(image_df, batch_size=batch_size, workers=workers)
    np.testing.assert_array_equal(rows_of(embedded), truth(image_df["img_path"]))
    assert "error" not in embedded and "average_colours" not in image_df


def test_labels_and_other_columns_stay_on_frames_that_were_shuffled_or_repeated(image_df):
    image_df["title"] = [f"picture {number}" for number in range(12)]
    shuffled = image_df.sample(30, replace=True, random_state=0)  # labels several times, unsorted
    embedded = embed(shuffled)
    pd.testing.assert_frame_equal(embedded[["img_path", "title"]], shuffled)
    np.testing.assert_array_equal(rows_of(embedded), truth(shuffled["img_path"]))


def test_a_bad_picture_keeps_its_row_and_says_why(image_df, tmp_path):
    paths = image_df["img_path"].tolist()
    empty, text, cut = (tmp_path / name for name in ("empty.jpg", "text.jpg", "cut.png"))
    empty.touch()
    text.write_text("not a picture")
    cut.write_bytes(open(paths[0], "rb").read()[:-20])
    bad = [None, float("nan"), 7, "missing.jpg", empty, text, cut, tmp_path, "", "a\0b", pd.NA]
    mixed = pd.DataFrame({"img_path": [*bad[:5], *paths, *bad[5:]]})
    is_good = [str(path) in paths for path in mixed["img_path"]]
    for _ in ("computed", "from the cache"):
        embedded = embed(mixed, batch_size=4)
        assert embedded["error"].isna().tolist() == is_good
        assert embedded["average_colours"].notna().tolist() == is_good
        np.testing.assert_array_equal(rows_of(embedded[is_good]), truth(paths))
        assert all("could not be opened" in error for error in embedded["error"].dropna())
        assert "there is no such file" in embedded["error"].iloc[3]
        assert "the file is empty" in embedded["error"].iloc[4]


def test_a_picture_that_was_mended_loses_its_error(image_df):
    path = image_df["img_path"].iloc[3]
    content = open(path, "rb").read()
    os.unlink(path)
    embedded = embed(image_df)
    assert embedded["error"].notna().sum() == 1
    with open(path, "wb") as file:
        file.write(content)
    assert "error" not in embed(embedded)


def test_a_folder_without_one_good_picture_is_still_a_frame():
    embedded = embed(pd.DataFrame({"img_path": ["a.jpg", "b.jpg"]}))
    assert embedded["average_colours"].isna().all() and embedded["error"].notna().all()
    with pytest.raises(ValueError, match="no embedding at all"):
        simlib.nearest(embedded, "average_colours", 0)


def test_an_empty_frame_comes_back_empty_with_its_column():
    embedded = embed(pd.DataFrame({"img_path": []}))
    assert len(embedded) == 0 and list(embedded) == ["img_path", "average_colours"]


@pytest.mark.parametrize("value", [0, -1, 2.5, "8", True])
@pytest.mark.parametrize("name", ["batch_size", "workers"])
def test_a_wrong_setting_is_named_before_the_work_begins(image_df, name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        embed(image_df, **{name: value})


def test_a_wrong_frame_or_encoder_is_named_before_the_work_begins(image_df):
    with pytest.raises(KeyError, match="img_path"):
        embed(image_df.rename(columns={"img_path": "path"}))
    with pytest.raises(TypeError, match="list"):
        embed(image_df["img_path"].tolist())
    with pytest.raises(TypeError, match="'towhee' is not an encoder.*load_encoder"):
        embed(image_df, "towhee")


def test_bars_can_be_switched_off_in_notebooks_too(image_df, monkeypatch):
    import tqdm.auto
    import tqdm.notebook

    bars = []

    class Bar(tqdm.notebook.tqdm):
        def __init__(self, *args, **options):
            bars.append(options["disable"])
            super().__init__(*args, **options | {"disable": True})

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    embed(image_df, progress=True)
    embed(image_df, progress=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    embed(image_df, progress=True)
    assert bars == [False, True, True]


# Quick, and with few files


class Patient(AverageColours):
    """Ends no batch but the last before a picture of the next has been prepared."""

    def __init__(self):
        super().__init__("patient")
        self.prepared, self.changed = 0, threading.Condition()

    def prepare(self, image):
        with self.changed:
            self.prepared += 1
            self.changed.notify_all()
        return super().prepare(image)

    def encode_prepared(self, batch):
        needed = min(48, self.encoded + len(batch) + 1)
        with self.changed:  # read one after the other, they would never come
            assert self.changed.wait_for(lambda: self.prepared >= needed, timeout=1200)
        return super().encode_prepared(batch)


def test_pictures_are_read_while_the_network_works(tmp_path):
    patient = Patient()
    embed(pd.DataFrame({"img_path": draw_pictures(tmp_path, 48)}), patient, batch_size=4, workers=2)
    assert patient.encoded == 48


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_files_are_open_than_workers(tmp_path, monkeypatch, workers):
    lock, open_now, most = threading.Lock(), set(), 0
    all_at_work = threading.Barrier(workers)

    def watched_open(*args, **options):
        nonlocal most
        file = open(*args, **options)
        with lock:
            open_now.add(file)
            is_among_the_first = len(open_now) <= workers
            most = max(most, sum(not other.closed for other in open_now))
        if is_among_the_first:
            all_at_work.wait(timeout=1200)  # broken where fewer work at a time
        time.sleep(0.002)
        return file

    monkeypatch.setattr(images, "open", watched_open, raising=False)
    image_df = pd.DataFrame({"img_path": draw_pictures(tmp_path, 60)})
    embed(image_df, batch_size=4, workers=workers)
    embed(image_df, batch_size=4, workers=workers)  # by the cache
    assert len(open_now) >= 120 and all(file.closed for file in open_now)
    assert most == workers  # as many at a time, and never more


@needs_posix
def test_thousands_of_pictures_do_not_run_out_of_open_files(tmp_path):
    paths = draw_pictures(tmp_path, 100)
    run_python(
        """
import resource, sys, pandas as pd, simlib
from average_colours import AverageColours
import tqdm.auto, simlib.embedding, simlib.storage
image_df = pd.DataFrame({"img_path": sys.argv[1:] * 20})
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
embedded = simlib.embed(image_df, AverageColours(), workers=8, progress=False)
assert "error" not in embedded, embedded["error"].dropna().iloc[0]
""",
        *paths,
    )


# Broken off


class Interrupted(AverageColours):
    def encode_prepared(self, batch):
        if self.encoded >= 8:
            raise KeyboardInterrupt
        return super().encode_prepared(batch)


def test_an_interrupted_run_leaves_no_thread_and_goes_on_where_it_stopped(tmp_path):
    image_df = pd.DataFrame({"img_path": draw_pictures(tmp_path, 40)})
    embed(image_df.head(1), cache=False)  # the first bar starts a thread of tqdm's own, which stays
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt) as kept:  # as Jupyter keeps it, for %debug
        embed(image_df, Interrupted(), batch_size=4)
    assert threading.active_count() == before
    assert kept.value.__traceback__ is not None
    encoder = AverageColours()
    embedded = embed(image_df, encoder)
    assert encoder.encoded == 32
    np.testing.assert_array_equal(rows_of(embedded), truth(image_df["img_path"]))


@needs_posix
def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path, simlib_home):
    paths = draw_pictures(tmp_path, 40)
    process = start_python(
        """
import sys, time, pandas as pd, simlib
from average_colours import AverageColours
class Stuck(AverageColours):
    def encode_prepared(self, batch):
        print("batch", flush=True)
        if self.encoded == 14:
            time.sleep(3600)  # until it is killed
        return super().encode_prepared(batch)
simlib.embed(pd.DataFrame({"img_path": sys.argv[1:]}), Stuck(), batch_size=2, progress=False)
""",
        *paths,
    )
    for _ in range(8):
        assert process.stdout.readline() == "batch\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    encoder = AverageColours()
    embedded = embed(pd.DataFrame({"img_path": paths}), encoder)
    assert 0 < encoder.encoded <= 40 - 6 * 2  # the eighth had begun, the seventh was being kept
    np.testing.assert_array_equal(rows_of(embedded), truth(paths))


# Pictures of unequal size


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("other", [(16, 24), (25, 16)], ids=["turned", "wider"])
def test_pixels_of_unequal_pictures_are_never_mixed(image_df, tmp_path, batch_size, other):
    path = tmp_path / "other.png"
    Image.new("RGB", other, "red").save(path)
    mixed = pd.DataFrame({"img_path": [*image_df["img_path"][:4], str(path)]})
    with pytest.raises(ValueError, match=rf"24×16 and {other[0]}×{other[1]} pixels.*size="):
        embed(mixed, simlib.load_encoder("pixels"), batch_size=batch_size)
    resized = embed(mixed, simlib.load_encoder("pixels", size=(6, 4)), batch_size=batch_size)
    assert simlib.embedding_matrix(resized, "flattened_pixels").shape == (5, 72)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as Linux has it")
def test_a_result_on_disk_frees_its_space_with_the_frame(image_df, monkeypatch):
    from simlib import columns

    def files_without_a_name():
        with open("/proc/self/maps") as maps:
            return maps.read().count("(deleted)")

    monkeypatch.setattr(columns, "ON_DISK_BYTES", 1000)
    before = files_without_a_name()
    embedded = embed(image_df)
    assert files_without_a_name() > before
    np.testing.assert_array_equal(rows_of(embedded), truth(image_df["img_path"]))
    neighbours = simlib.nearest(embedded, "average_colours", 3, k=11)
    assert len(neighbours) == 11
    del embedded
    assert files_without_a_name() == before


def test_pictures_that_failed_are_counted_in_one_warning(image_df):
    image_df.loc[[2, 5], "img_path"] = "gone.jpg"
    with pytest.warns(UserWarning) as caught:
        embedded = simlib.embed(image_df, AverageColours(), progress=False)
    assert [str(warning.message) for warning in caught] == [
        "2 of 12 pictures could not be read; see the column 'error'."
    ]
    assert caught[0].filename == __file__ and embedded["error"].notna().sum() == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simlib.embed(image_df.drop([2, 5]), AverageColours(), progress=False)
        simlib.find_duplicates(image_df)  # counts them itself
