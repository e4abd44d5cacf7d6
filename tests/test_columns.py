"""What a user loses when these fail: memory, or an old answer to a question about new numbers."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pandas as pd
import pytest

import simlib
from simlib import columns
from simlib.columns import Embeddings, column_of_rows


def frame_of(matrix, index=None, present=None):
    index = pd.RangeIndex(len(matrix)) if index is None else index
    present = np.ones(len(matrix), dtype=bool) if present is None else present
    return pd.DataFrame({"own": column_of_rows(matrix, present, index)})


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)


@pytest.fixture
def frame(matrix):
    return frame_of(matrix.copy())


# The matrix behind a column


def test_a_whole_column_gives_its_matrix_back_without_a_copy(frame, matrix):
    first, second = (simlib.embedding_matrix(frame, "own") for _ in range(2))
    np.testing.assert_array_equal(first, matrix)
    assert np.shares_memory(first, second) and not first.flags.writeable
    assert np.shares_memory(first, frame["own"].iloc[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.sample(frac=1, random_state=0),
        lambda frame: frame.sample(20, replace=True, random_state=0),
        lambda frame: frame[frame.index % 3 == 1],
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.iloc[10:20],
        lambda frame: frame.set_index(frame.index[::-1].astype(str)),
        lambda frame: pd.concat([frame.tail(5), frame.head(5)]),
        lambda frame: frame.copy(),
        lambda frame: copy.deepcopy(frame),
        lambda frame: pickle.loads(pickle.dumps(frame)),
        lambda frame: frame.assign(own=[row.tolist() for row in frame["own"]]),
        lambda frame: frame.assign(own=[row.astype(np.float64) for row in frame["own"]]),
        lambda frame: frame.assign(own=[tuple(row) for row in frame["own"]]),
    ],
)
def test_the_matrix_follows_the_rows_however_the_frame_was_changed(frame, change):
    simlib.embedding_matrix(frame, "own")
    changed = change(frame)
    expected = np.array([np.asarray(cell, dtype=np.float32) for cell in changed["own"]])
    for _ in range(2):
        found = simlib.embedding_matrix(changed, "own")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_a_cell_cannot_be_overwritten_by_accident(frame):
    with pytest.raises(ValueError, match="read-only"):
        frame["own"].iloc[0][0] = 7


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA])
def test_a_missing_embedding_is_named_by_its_label(missing):
    frame = pd.DataFrame({"own": [[1.0, 2.0], missing, [3.0, 4.0]]}, index=["a", "b", "c"])
    with pytest.raises(ValueError, match="1 of 3 rows, the first at label 'b'.*dropna"):
        simlib.embedding_matrix(frame, "own")
    np.testing.assert_array_equal(
        simlib.embedding_matrix(frame.dropna(subset=["own"]), "own"), [[1, 2], [3, 4]]
    )


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([[1, 2], [1, 2, 3]], "mixes embeddings of 2 and 3 values.*label 1"),
        ([[1, 2], "red"], "label 1 is str"),
        ([[1, 2], 3], "label 1 is int"),
        ([[1, 2], []], "label 1 is list"),
        ([[1, 2], np.zeros((2, 2))], "label 1 is ndarray"),
        ([[1, 2], ["a", "b"]], "label 1 is list"),
        ([None, None], "no embedding at all"),
    ],
)
def test_a_column_that_is_not_of_embeddings_is_refused_by_name(cells, sentence):
    with pytest.raises(ValueError, match=sentence):
        simlib.embedding_matrix(pd.DataFrame({"own": cells}), "own")


def test_a_missing_column_is_answered_with_those_there_are(frame):
    with pytest.raises(KeyError, match="no column 'clip'; it has: own"):
        simlib.embedding_matrix(frame, "clip")
    with pytest.raises(ValueError, match="empty"):
        simlib.embedding_matrix(frame.head(0), "own")
    with pytest.raises(ValueError, match="2 columns of the name"):
        simlib.embedding_matrix(pd.concat([frame, frame], axis=1), "own")


# What is remembered, and forgotten


def first_neighbour(frame):
    return simlib.nearest(frame, "own", [1.0, 0.0], k=1)["index"].item()


def test_a_replaced_cell_is_noticed():
    frame = frame_of(np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32))
    assert first_neighbour(frame) == 0
    frame.at[0, "own"] = np.array([0, 1], dtype=np.float32)
    assert first_neighbour(frame) == 2
    frame.at[1, "own"] = frame_of(np.array([[1, 0]], dtype=np.float32)).at[0, "own"]
    assert first_neighbour(frame) == 1


def test_swapped_rows_are_noticed():
    frame = frame_of(np.array([[1, 0], [0, 1]], dtype=np.float32))
    assert first_neighbour(frame) == 0
    frame["own"] = [frame.at[1, "own"], frame.at[0, "own"]]
    assert first_neighbour(frame) == 1


@pytest.mark.parametrize("read_only_views", [False, True])
def test_a_change_of_the_users_own_array_is_noticed(read_only_views):
    own = np.array([[1, 0], [0.5, 1]], dtype=np.float32)
    rows = own.view()
    rows.flags.writeable = not read_only_views
    frame = pd.DataFrame({"own": list(rows)})
    assert simlib.nearest(frame, "own", [1.0, 0.0])["cosine_similarity"].iloc[0] == 1
    own[:] = [[3, 4], [0, 2]]
    similarities = simlib.nearest(frame, "own", [1.0, 0.0])["cosine_similarity"]
    np.testing.assert_allclose(similarities, [0.6, 0], atol=1e-7)


def test_the_lengths_are_computed_once_for_a_frame(frame):
    assert Embeddings.of(frame, "own") is Embeddings.of(frame, "own")
    simlib.nearest(frame, "own", 0)
    norms = Embeddings.of(frame, "own").norms()
    assert norms is Embeddings.of(frame, "own").norms()


def test_memory_is_freed_with_the_frame(matrix):
    matrix = matrix.copy()  # pytest keeps the fixture's
    frame = frame_of(matrix)
    simlib.nearest(frame, "own", 0)
    simlib.nearest(frame.iloc[5:], "own", 5)
    columns.remember_encoder(matrix, object())
    alive, entries = weakref.ref(matrix), len(columns._remembered._of_block)
    del frame, matrix
    gc.collect()
    assert alive() is None
    assert len(columns._remembered._of_block) < entries


@pytest.fixture
def frame_on_disk(matrix, monkeypatch):
    monkeypatch.setattr(columns, "ON_DISK_BYTES", 100)
    monkeypatch.setattr(columns, "CHUNK_BYTES", 100)
    on_disk = columns.new_matrix(*matrix.shape)
    assert isinstance(on_disk, np.memmap)
    on_disk[:] = matrix
    return frame_of(on_disk)


def test_a_matrix_on_disk_is_looked_at_in_pieces(frame_on_disk, matrix):
    for frame, expected in (
        (frame_on_disk, matrix),
        (frame_on_disk.iloc[::-2], matrix[::-2]),
    ):
        pieces = [(part, chunk.copy()) for part, chunk in Embeddings.of(frame, "own").chunks()]
        assert max(len(chunk) for _, chunk in pieces) == 3  # 3 × 7 × 4 bytes
        np.testing.assert_array_equal(np.concatenate([chunk for _, chunk in pieces]), expected)
    np.testing.assert_array_equal(simlib.embedding_matrix(frame_on_disk, "own"), matrix)


def test_a_matrix_on_disk_is_searched_as_one_in_memory(frame_on_disk, matrix):
    pd.testing.assert_frame_equal(
        simlib.nearest(frame_on_disk, "own", 3, k=20),
        simlib.nearest(frame_of(matrix), "own", 3, k=20),
    )


def test_too_large_a_matrix_is_refused_with_the_way_out():
    with pytest.raises(OSError, match="TMPDIR"):
        columns.new_matrix(10**9, 10**6)


@pytest.mark.slow
def test_slices_without_end_take_no_memory_without_end(matrix):
    import tracemalloc

    long = frame_of(np.tile(matrix, (-(-4_000 // len(matrix)), 1))[:4_000])
    starts = range(0, 160, 2)

    def search_slices(starts):
        for start in starts:
            part = long.iloc[start : start + 2_000]
            assert simlib.nearest(part, "own", start, k=1)["index"].item() != start

    tracemalloc.start()
    try:
        search_slices(starts[:20])
        before, _ = tracemalloc.get_traced_memory()
        search_slices(starts[20:])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1e6  # a slice's embeddings take 80 kB, and there were 60 more


def test_eight_columns_are_remembered_side_by_side(matrix):
    from simlib.columns import Embeddings

    frame = pd.concat([frame_of(matrix)["own"].rename(str(n)) for n in range(8)], axis=1)
    first = [Embeddings.of(frame, column) for column in frame.columns]
    again = [Embeddings.of(frame, column) for column in frame.columns]
    assert all(one is other for one, other in zip(first, again, strict=True))
