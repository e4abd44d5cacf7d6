"""What a user loses when these fail: embeddings that took hours, at the moment of saving them."""

import os
import stat
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from average_colours import run_python

import simlib
from simlib.columns import column_of_rows
from simlib.storage import parquet


@pytest.fixture
def frame():
    matrix = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    present = np.arange(300) % 7 != 0  # also the very first cell is missing
    frame = pd.DataFrame(
        {
            "img_path": [f"{number}.jpg" for number in range(300)],
            "price": np.where(np.arange(300) % 5, 1.5, np.nan),
            "title": ["قرمز" if number % 2 else None for number in range(300)],
            "kind": pd.Categorical(["shoe", "bag", "watch"] * 100),
        }
    )
    frame.insert(1, "own", column_of_rows(matrix, present, frame.index))
    return frame


def assert_same(loaded, frame):
    assert list(loaded) == list(frame)
    for column in loaded:
        for found, expected in zip(loaded[column], frame[column], strict=True):
            if isinstance(expected, np.ndarray):
                assert found.dtype == np.float32
                np.testing.assert_array_equal(found, expected)
            else:
                assert found == expected or (pd.isna(found) and pd.isna(expected))


def test_what_was_saved_comes_back_with_its_missing_cells(frame, tmp_path):
    path = simlib.save_embeddings(frame, tmp_path / "new folder" / "own.parquet")
    assert_same(simlib.load_embeddings(path), frame)
    assert_same(simlib.load_embeddings(str(path)), frame)
    assert simlib.load_embeddings(path)["kind"].dtype == "category"
    assert frame.equals(frame.copy()) and list(tmp_path.rglob("*.parquet*")) == [path]


def test_plain_pandas_reads_the_file(frame, tmp_path):
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    assert_same(pd.read_parquet(path), frame)


def test_a_loaded_column_is_searched_like_the_saved_one(frame, tmp_path):
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    loaded = simlib.load_embeddings(path)
    pd.testing.assert_frame_equal(
        simlib.nearest(loaded, "own", 5, k=9), simlib.nearest(frame, "own", 5, k=9)
    )
    assert not loaded["own"].iloc[5].flags.writeable
    whole = simlib.load_embeddings(simlib.save_embeddings(frame.dropna(subset="own"), path))
    matrix = simlib.embedding_matrix(whole, "own")
    assert np.shares_memory(matrix, simlib.embedding_matrix(whole, "own"))  # not copied


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda frame: frame.set_index("img_path"), ["img_path"]),
        (lambda frame: frame[frame.index % 3 == 0], ["index"]),
        (lambda frame: frame.iloc[::2], ["index"]),
        (lambda frame: frame.iloc[::-1], ["index"]),
        (lambda frame: frame.sample(100, random_state=0), ["index"]),
        (lambda frame: frame.set_axis([f"p{x}" for x in frame.index]), ["index"]),
        (lambda frame: frame.set_index(["kind", "img_path"]), ["kind", "img_path"]),
    ],
)
def test_labels_are_kept_as_columns(frame, tmp_path, change, names):
    changed = change(frame)
    path = simlib.save_embeddings(changed, tmp_path / "own.parquet")
    assert_same(simlib.load_embeddings(path), changed.reset_index(names=names))


def test_an_index_is_never_saved_over_a_column(frame, tmp_path):
    with pytest.raises(ValueError, match="'price'.*reset_index"):
        simlib.save_embeddings(frame.iloc[::2].rename_axis("price"), tmp_path / "own.parquet")
    assert not list(tmp_path.iterdir())


def test_names_that_parquet_does_not_take_are_named(frame, tmp_path):
    for wrong in (frame.rename(columns={"price": 0}), frame.rename(columns={"price": "title"})):
        with pytest.raises(ValueError, match="names that are str and different"):
            simlib.save_embeddings(wrong, tmp_path / "own.parquet")
    assert not list(tmp_path.iterdir())


def test_a_column_that_begins_with_many_bad_pictures_is_still_of_embeddings(frame, tmp_path):
    frame["own"] = [None] * 200 + frame["own"].tolist()[200:]
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    assert_same(simlib.load_embeddings(path), frame)
    assert pq.read_schema(path).field("own").type.list_size == 8


@pytest.mark.parametrize("rows", [0, 1])
def test_a_frame_of_hardly_anything_survives(frame, tmp_path, rows):
    path = simlib.save_embeddings(frame.head(rows), tmp_path / "own.parquet")
    assert_same(simlib.load_embeddings(path), frame.head(rows))


def test_a_failure_leaves_the_old_file_and_nothing_else(frame, tmp_path, monkeypatch):
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    old = path.read_bytes()
    written = []

    def full(*arguments):
        if written:
            raise OSError(28, "No space left on device")
        written.append(arguments)
        return fixed_size_lists(*arguments)

    fixed_size_lists = parquet._fixed_size_lists
    monkeypatch.setattr(parquet, "_fixed_size_lists", full)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1000)  # so that some of it is written already
    with pytest.raises(OSError, match="No space left"):
        simlib.save_embeddings(frame.head(200), path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_column_that_cannot_be_saved_is_named_and_leaves_the_old_file(frame, tmp_path):
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    frame["kind"] = ["one", 2, 3.5] * 100
    with pytest.raises(ValueError, match="can't be saved as Parquet.*kind.*of one kind"):
        simlib.save_embeddings(frame, path)
    assert len(simlib.load_embeddings(path)) == 300 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0, 1, 4, 100, 0.5, -8, -1])
def test_a_file_cut_short_is_named_in_a_sentence(frame, tmp_path, kept):
    path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if kept == 0.5 else kept])
    with pytest.raises(ValueError, match="own.parquet' is not a complete Parquet file"):
        simlib.load_embeddings(path)


def test_a_missing_file_is_named_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file.*nothing.parquet"):
        simlib.load_embeddings(tmp_path / "nothing.parquet")


@pytest.mark.skipif(os.name != "posix", reason="uses POSIX permissions")
def test_others_may_read_the_file_as_the_umask_says(frame, tmp_path):
    before = os.umask(0o022)
    try:
        path = simlib.save_embeddings(frame, tmp_path / "own.parquet")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as Linux has it")
def test_20000_embeddings_take_the_memory_of_their_numbers(tmp_path):
    """As lists of Python floats, they would take some 500 MB more."""
    printed = run_python(
        """
import sys, numpy as np, pandas as pd, simlib, simlib.storage, simlib.columns

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

matrix = np.random.default_rng(0).random((20_000, 512), dtype=np.float32)
column = simlib.columns.column_of_rows(matrix, np.ones(20_000, dtype=bool), pd.RangeIndex(20_000))
frame = pd.DataFrame({"own": column})
before = peak()
simlib.save_embeddings(frame, sys.argv[1])
print(peak() - before)
before = peak()
loaded = simlib.load_embeddings(sys.argv[1])
print(peak() - before)
assert np.array_equal(simlib.embedding_matrix(loaded, "own"), matrix)
""",
        tmp_path / "own.parquet",
    )
    saving, loading = map(float, printed.split())  # in MB; the matrix itself takes 39
    print(f"saving: {saving:.0f} MB, loading: {loading:.0f} MB")
    assert saving < 200 and loading < 200


def test_what_a_killed_save_left_behind_is_removed_by_a_later_one(frame, tmp_path):
    names = (f".own.parquet-{'a' * 32}", f".own.parquet-{'b' * 32}", ".other.parquet-a")
    old, fresh, others = (tmp_path / name for name in names)
    for path in (old, fresh, others):
        path.touch()
    for path in (old, others):
        os.utime(path, (0, 0))
    simlib.save_embeddings(frame, tmp_path / "own.parquet")
    assert not old.exists() and fresh.exists() and others.exists()  # another may be writing it


def test_a_file_with_an_index_of_pandas_and_many_parts_is_read(tmp_path, monkeypatch):
    path = tmp_path / "theirs.parquet"
    pd.DataFrame({"price": [1.5, 2.5]}, index=["x", "y"]).to_parquet(path)
    loaded = simlib.load_embeddings(path)
    assert loaded["price"].tolist() == [1.5, 2.5] and loaded.index.tolist() == [0, 1]
    assert loaded["__index_level_0__"].tolist() == ["x", "y"]

    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 64)
    rows = np.arange(80, dtype=np.float32).reshape(20, 4)
    cells = [None if place == 7 else row for place, row in enumerate(rows)]
    kinds = pd.Categorical(["a", "b"] * 5 + ["c"] * 10)
    simlib.save_embeddings(pd.DataFrame({"own": cells, "kind": kinds}), path)
    loaded = simlib.load_embeddings(path)
    assert loaded["kind"].tolist() == list(kinds) and loaded["own"][7] is None
    usable = loaded.drop(index=7)
    assert np.array_equal(simlib.embedding_matrix(usable, "own"), np.delete(rows, 7, axis=0))


def test_a_damaged_footer_never_ends_in_anything_but_the_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 2_000)
    path = tmp_path / "own.parquet"
    rows = np.random.default_rng(0).random((300, 4), dtype=np.float32)
    frame = pd.DataFrame({"img_path": [f"{row}.jpg" for row in range(300)], "own": list(rows)})
    simlib.save_embeddings(frame, path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.integers(footer, len(whole), 1_500):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            simlib.load_embeddings(path)
        except ValueError as error:
            assert "is not a complete Parquet file" in str(error)
            refused += 1
    assert refused > 750


def assert_equal_cells(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, (list, np.ndarray)):
            assert np.asarray(one).dtype.kind == np.asarray(other).dtype.kind or (
                np.asarray(one).dtype == object
            )
            assert list(one) == list(other)
        else:
            assert (pd.isna(one) and pd.isna(other)) or one == other


OTHERS = {
    "ids": [np.array([2**53 + 1, -1]), np.array([0, 7]), None],
    "flags": [np.array([True, False]), np.array([False, True]), None],
    "dates": [np.array(["2024-02-29", "1999-12-31"], dtype="datetime64[ns]")] * 2 + [None],
    "tags": [["red", "new"], ["blue"], None],
    "tags of one length": [["red", "new"], ["blue", "old"], ["a", "b"]],
    "counts": [[1, 2], [3, 4], [2**60, 5]],
    "rows of floats of many lengths": [np.array([0.1, 0.2]), np.array([0.3]), None],
    "nothing in it": [np.array([]), np.array([]), np.array([])],
    "nullable": pd.array([2**53 + 1, None, 3], dtype="Int64"),
    "nullable flags": pd.array([True, None, False], dtype="boolean"),
    "times": pd.to_datetime(["2024-02-29", None, "1999-12-31"]).tz_localize("Asia/Tehran"),
    "spans": pd.to_timedelta([1, 2, None], unit="h"),
    "months": pd.period_range("2024-01", periods=3, freq="M"),
    "kinds": pd.Categorical(["a", "b", "a"], categories=["b", "a", "c"], ordered=True),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_embedding_comes_back_as_it_was_any_number_of_times(kind, tmp_path):
    rows = list(np.eye(3, dtype=np.float32))
    frame = pd.DataFrame({"own": rows, "other": pd.Series(OTHERS[kind])})
    path, loaded = tmp_path / "own.parquet", frame
    for _ in range(3):
        loaded = simlib.load_embeddings(simlib.save_embeddings(loaded, path))
        assert loaded["other"].dtype == frame["other"].dtype
        assert_equal_cells(loaded["other"], frame["other"])
        np.testing.assert_array_equal(simlib.embedding_matrix(loaded, "own"), np.eye(3))
    assert_equal_cells(pd.read_parquet(path)["other"], frame["other"])
    np.testing.assert_array_equal(np.stack(pd.read_parquet(path)["own"]), np.eye(3))


@pytest.mark.parametrize(
    "cells",
    [
        [np.array([0.5, 1.0]), None, np.array([0.25, 2.0])],  # float64
        [[0.5, 1.0], None, [0.25, 2.0]],
        [np.array([0.5, 1.0], dtype=np.float16), np.nan, np.array([0.25, 2.0], dtype=np.float16)],
    ],
)
def test_rows_of_floats_that_users_made_are_embeddings(cells, tmp_path):
    path = simlib.save_embeddings(pd.DataFrame({"own": cells}), tmp_path / "own.parquet")
    assert pq.read_schema(path).field("own").type == pa.list_(pa.float32(), 2)
    loaded = simlib.load_embeddings(path)["own"]
    assert loaded[0].tolist() == [0.5, 1.0] and loaded[1] is None
    assert loaded[2].dtype == np.float32 and loaded[2].tolist() == [0.25, 2.0]


def test_a_tilde_is_the_home_folder(frame, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert simlib.save_embeddings(frame, "~/own.parquet") == tmp_path / "own.parquet"
    assert_same(simlib.load_embeddings("~/own.parquet"), frame)


@pytest.mark.parametrize("url", ["s3://bucket/own.parquet", "file:///own.parquet", "gs://a/b"])
def test_a_url_is_refused_and_makes_no_folder(frame, url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: simlib.save_embeddings(frame, url), lambda: simlib.load_embeddings(url)):
        with pytest.raises(ValueError, match=f"{url}' is a URL .*Give a path here"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["n" * 222 + ".parquet", "کفش" * 37 + ".parquet"])
def test_a_long_name_can_be_saved(frame, name, tmp_path):
    assert len(name.encode()) == 230
    assert_same(simlib.load_embeddings(simlib.save_embeddings(frame, tmp_path / name)), frame)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_too_long_for_the_disk_is_an_error_that_says_so(frame, tmp_path):
    with pytest.raises(OSError, match="could not be saved .*too long"):
        simlib.save_embeddings(frame, tmp_path / ("n" * 300))
    assert list(tmp_path.iterdir()) == []


def test_two_columns_of_one_name_are_named(frame, tmp_path):
    twice = pd.concat([frame, frame[["own"]]], axis=1)
    with pytest.raises(ValueError, match=r"2 column\(s\) named 'own'"):
        simlib.save_embeddings(twice, tmp_path / "own.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("error")
def test_a_file_notes_which_encoder_made_which_column(image_df, tmp_path):
    from simlib.columns import ENCODERS

    pixels = simlib.load_encoder("pixels", size=(4, 4))
    embedded = simlib.embed(image_df, pixels, progress=False).assign(own=list(np.eye(12)))
    embedded.attrs["mine"] = object()  # which no file can hold
    path = simlib.save_embeddings(embedded[embedded.index > 2], tmp_path / "a.parquet")
    expected = {ENCODERS: {"flattened_pixels": {"name": "pixels", "recipe": pixels.recipe}}}
    assert simlib.load_embeddings(path).attrs == expected
    assert pd.read_parquet(path).attrs == expected
    again = simlib.save_embeddings(simlib.load_embeddings(path), tmp_path / "b.parquet")
    assert simlib.load_embeddings(again).attrs == expected
    without = simlib.save_embeddings(embedded[["img_path", "own"]], tmp_path / "c.parquet")
    assert simlib.load_embeddings(without).attrs == {}


@pytest.mark.parametrize("notes", [b"{", b"[]", b"7", b"[" * 9999, b'{"simlib_encoders": [1]}'])
def test_a_file_with_odd_notes_is_read_all_the_same(notes, tmp_path):
    table = pa.table({"img_path": ["a.jpg"]}).replace_schema_metadata({"PANDAS_ATTRS": notes})
    pq.write_table(table, tmp_path / "a.parquet")
    assert simlib.load_embeddings(tmp_path / "a.parquet").attrs == {}
