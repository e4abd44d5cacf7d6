"""What a user loses when these fail: the right neighbours, in the right order."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from PIL import Image

import simlib
from conftest import draw_pictures
from simlib import exact
from simlib.columns import column_of_rows


def frame_of(matrix, index=None):
    index = pd.RangeIndex(len(matrix)) if index is None else pd.Index(index)
    column = column_of_rows(matrix.copy(), np.ones(len(matrix), dtype=bool), index)
    paths = [f"{number}.jpg" for number in range(len(matrix))]
    return pd.DataFrame({"img_path": paths, "own": column}, index=index)


def reference(frame, query, k, leave_out=None):
    """Brute force in float64, one pair at a time: [(label, similarity)], ties in frame order."""
    found = []
    for position, (label, cell) in enumerate(zip(frame.index, frame["own"], strict=True)):
        if position != leave_out:
            a, b = np.asarray(cell, dtype=np.float64), np.asarray(query, dtype=np.float64)
            found.append((label, np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b))))
    return sorted(found, key=lambda pair: -round(pair[1], 12))[:k]


def assert_same(neighbours, expected):
    assert neighbours["index"].tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(
        neighbours["cosine_similarity"], [similarity for _, similarity in expected], atol=1e-12
    )
    assert neighbours["rank"].tolist() == list(range(1, len(expected) + 1))
    assert neighbours["cosine_similarity"].is_monotonic_decreasing


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)


@pytest.fixture
def frame(matrix):
    return frame_of(matrix)


# Exact


@pytest.mark.parametrize("dim", [1, 2, 33, 1280])
@pytest.mark.parametrize("k", [1, 5, 199, 200, 10**9])
def test_neighbours_are_those_of_brute_force(dim, k):
    matrix = np.random.default_rng(dim).normal(size=(200, dim)).astype(np.float32)
    frame = frame_of(matrix)
    vector = np.random.default_rng(99).normal(size=dim).astype(np.float32)
    assert_same(simlib.nearest(frame, "own", vector, k), reference(frame, vector, k))
    assert_same(simlib.nearest(frame, "own", 17, k), reference(frame, matrix[17], k, 17))


@pytest.mark.parametrize("dim", [64, 512, 1280])
def test_equal_pictures_tie_exactly_and_come_in_the_frames_order(dim):
    different = np.random.default_rng(dim).normal(size=(333, dim)).astype(np.float32)
    frame = frame_of(np.concatenate([different] * 3)[:997])  # equal rows far from one another
    for query in range(0, 333, 37):
        for k in (1, 2, 4, 7, 997):
            neighbours = simlib.nearest(frame, "own", different[query], k)
            assert_same(neighbours, reference(frame, different[query], k))


def test_almost_equal_pictures_are_told_apart_beyond_float32():
    direction = np.random.default_rng(0).random(1280)
    nudges = np.random.default_rng(1).permutation(50)
    rows = np.tile(direction, (50, 1))
    rows[np.arange(50), np.arange(50)] += 1e-4 * (1 + nudges)
    frame = frame_of(rows.astype(np.float32))
    query = direction.astype(np.float32)
    assert_same(simlib.nearest(frame, "own", query, 50), reference(frame, query, 50))


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_the_length_of_embeddings_does_not_matter(frame, matrix, scale):
    scaled = frame_of((matrix * scale).astype(np.float32))
    expected = simlib.nearest(frame, "own", 5, 20)
    found = simlib.nearest(scaled, "own", 5, 20)
    assert found["index"].tolist() == expected["index"].tolist()
    np.testing.assert_allclose(found["cosine_similarity"], expected["cosine_similarity"], atol=1e-6)


# Labels, never positions


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.sample(80, random_state=1),
        lambda frame: frame[frame.index % 7 == 3],
        lambda frame: frame.sort_values("img_path"),
        lambda frame: frame.iloc[::-1],
        lambda frame: pd.concat([frame.tail(60), frame.head(60)]),
        lambda frame: frame.set_axis([f"product {label}" for label in frame.index]),
        lambda frame: frame.set_axis(frame.index[::-1]),
        lambda frame: frame.set_axis(frame.index + 0.5),
        lambda frame: frame.set_axis(pd.date_range("2020", periods=200)),
        lambda frame: frame.set_axis(pd.MultiIndex.from_product([range(20), list("abcdefghij")])),
        lambda frame: pickle.loads(pickle.dumps(frame)),
        lambda frame: frame.copy(),
        lambda frame: copy.deepcopy(frame),
        lambda frame: frame.assign(own=[row.tolist() for row in frame["own"]]),
        lambda frame: frame.assign(own=[row.astype(np.float64) for row in frame["own"]]),
    ],
)
def test_a_changed_frame_is_searched_by_its_own_labels(frame, change):
    simlib.nearest(frame, "own", 0)
    changed = change(frame)
    for position in (0, 1, len(changed) // 2, len(changed) - 1):
        label, cell = changed.index[position], changed["own"].iloc[position]
        neighbours = simlib.nearest(changed, "own", label, k=6)
        assert_same(neighbours, reference(changed, cell, 6, position))
        of_label = dict(zip(changed.index, changed["img_path"], strict=True))
        assert neighbours["img_path"].tolist() == [of_label[x] for x in neighbours["index"]]


def test_a_label_never_finds_itself_and_its_vector_does(frame, matrix):
    for k in (1, 200):
        assert 7 not in simlib.nearest(frame, "own", 7, k)["index"].tolist()
        assert simlib.nearest(frame, "own", matrix[7], k)["index"].iloc[0] == 7
    assert len(simlib.nearest(frame, "own", 7, 200)) == 199


def test_a_label_of_several_rows_is_asked_about_not_guessed(frame):
    doubled = pd.concat([frame.head(5), frame.head(2)])
    with pytest.raises(ValueError, match="label 1 stands at several rows.*reset_index"):
        simlib.nearest(doubled, "own", 1)
    neighbours = simlib.nearest(doubled, "own", 3, k=10)  # stands only once
    assert_same(neighbours, reference(doubled, doubled["own"].iloc[3], 10, 3))


def test_a_label_that_is_not_there_is_named(frame):
    for wrong in (999, -1, 2.5):
        with pytest.raises(ValueError, match=rf"The query {wrong!r} is not a label.*0, 1, 2, …"):
            simlib.nearest(frame, "own", wrong)
    with pytest.raises(simlib.ImageError, match="nosuch.jpg"):
        simlib.nearest(frame, "own", "nosuch.jpg")


# k


def test_more_neighbours_than_there_are_gives_what_there_is(frame):
    assert len(simlib.nearest(frame.head(4), "own", 2, k=50)) == 3
    assert len(simlib.nearest(frame.head(1), "own", 0, k=5)) == 0


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "5", None, np.float64(3)])
def test_a_k_that_is_no_number_of_neighbours_is_named(frame, k):
    with pytest.raises(ValueError, match="k=.*whole number from 1"):
        simlib.nearest(frame, "own", 0, k=k)


# Many queries


def test_many_queries_find_what_each_finds_alone(frame, matrix):
    cells = [row.copy() for row in matrix]
    cells[9], cells[30][2], cells[31] = np.zeros(32), np.nan, None
    mixed = pd.DataFrame({"own": cells}).sample(150, random_state=0)
    label = mixed.index[5]
    queries = [label, matrix[3], matrix[4].tolist(), label]
    found = simlib.nearest_many(mixed, "own", queries, k=7)
    assert found.attrs["left_out"] == simlib.nearest(mixed, "own", label).attrs["left_out"] > 0
    for number, query in enumerate(queries):
        own = found[found["query"] == number].drop(columns="query").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, simlib.nearest(mixed, "own", query, k=7))
    by_matrix = simlib.nearest_many(frame, "own", matrix[:20], k=3)
    assert len(by_matrix) == 60 and by_matrix["index"].iloc[::3].tolist() == list(range(20))


@pytest.mark.parametrize("chunk_bytes", [1_000, 10**9])
def test_many_queries_are_ranked_as_in_float64(chunk_bytes, monkeypatch):
    """In float32 alone, pictures that are nearly the same come in an accidental order."""
    from simlib import exact

    monkeypatch.setattr(exact, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    rows = np.tile(rng.random(1280), (50, 1))
    rows[np.arange(50), np.arange(50)] += 1e-4 * (1 + rng.permutation(50))
    frame = frame_of(rows.astype(np.float32))
    queries = rng.random((6, 1280)).astype(np.float32)
    found = simlib.nearest_many(frame, "own", queries, k=50)
    for number, query in enumerate(queries):
        assert_same(found[found["query"] == number], reference(frame, query, 50))


def test_no_queries_give_an_empty_frame_and_a_bad_one_is_named(frame):
    empty = simlib.nearest_many(frame, "own", [])
    assert len(empty) == 0 and "query" in empty and "cosine_similarity" in empty
    with pytest.raises(ValueError, match="query 999 is not a label"):
        simlib.nearest_many(frame, "own", [3, 999])
    with pytest.raises(ValueError, match="k=0"):
        simlib.nearest_many(frame, "own", [3], k=0)


# What can't be ranked


def test_embeddings_without_a_direction_are_counted_and_never_ranked(matrix):
    cells = [row.copy() for row in matrix[:10]]
    cells[1][3] = np.nan
    cells[2][0] = np.inf
    cells[4][:] = 0
    cells[6] = None
    frame = pd.DataFrame({"own": cells}, index=list("abcdefghij"))
    for query, found in (("a", 5), (matrix[0], 6)):
        neighbours = simlib.nearest(frame, "own", query, k=10)
        assert len(neighbours) == found and neighbours.attrs["left_out"] == 4
        assert not set(neighbours["index"]) & set("bceg")
        assert neighbours["cosine_similarity"].notna().all()
    for label in "bce":
        with pytest.raises(ValueError, match="zero or not finite"):
            simlib.nearest(frame, "own", label)
    with pytest.raises(ValueError, match="label 'g' has no embedding"):
        simlib.nearest(frame, "own", "g")


def test_a_bad_pictures_error_is_the_answer_when_it_is_the_query(image_df):
    image_df.loc[2, "img_path"] = "gone.jpg"
    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    with pytest.raises(ValueError, match="label 2 has no embedding.*gone.jpg.*no such file"):
        simlib.nearest(embedded, "average_colours", 2)
    neighbours = simlib.nearest(embedded, "average_colours", 3, k=20)
    assert len(neighbours) == 10 and neighbours.attrs["left_out"] == 1


@pytest.mark.parametrize("query", [[1.0, 2.0], np.ones(33), [np.nan] * 32])
def test_a_vector_that_does_not_fit_is_refused(frame, query):
    with pytest.raises(ValueError, match="values, but the embeddings.*have 32|not finite"):
        simlib.nearest(frame, "own", query)


def test_a_missing_column_is_answered_with_those_there_are(frame):
    with pytest.raises(KeyError, match="no column 'clip'; it has: img_path, own"):
        simlib.nearest(frame, "clip", 0)


# Queries of every kind


def test_a_vector_may_come_as_a_list_a_series_or_a_row_of_encode(frame, matrix):
    expected = simlib.nearest(frame, "own", matrix[3])
    for query in (matrix[3].tolist(), tuple(matrix[3].tolist()), pd.Series(matrix[3]), matrix[3:4]):
        pd.testing.assert_frame_equal(simlib.nearest(frame, "own", query), expected)


def test_a_picture_finds_what_its_embedding_finds(image_df, tmp_path):
    from pathlib import Path

    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    expected = simlib.nearest(embedded, "average_colours", embedded["average_colours"].iloc[4])
    path = image_df["img_path"].iloc[4]
    with Image.open(path) as opened:
        for query in (path, Path(path), simlib.load_image(path), opened.convert("RGBA")):
            found = simlib.nearest(embedded, "average_colours", query)
            pd.testing.assert_frame_equal(found, expected)
    assert expected["index"].iloc[0] == 4


def test_a_path_that_is_a_label_is_a_label(image_df):
    embedded = simlib.embed(image_df, AverageColours(), progress=False).set_index(
        "img_path", drop=False
    )
    path = image_df["img_path"].iloc[4]
    assert path not in simlib.nearest(embedded, "average_colours", path, 20)["index"].tolist()


def test_a_loaded_column_must_be_told_its_encoder_for_a_picture(image_df, tmp_path):
    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    loaded = simlib.load_embeddings(simlib.save_embeddings(embedded, tmp_path / "a.parquet"))
    path = image_df["img_path"].iloc[4]
    assert_frames_alike = pd.testing.assert_frame_equal
    assert_frames_alike(
        simlib.nearest(loaded, "average_colours", 4), simlib.nearest(embedded, "average_colours", 4)
    )
    with pytest.raises(ValueError, match="not known which encoder.*encoder="):
        simlib.nearest(loaded, "average_colours", path)
    assert_frames_alike(
        simlib.nearest(loaded, "average_colours", path, encoder=AverageColours()),
        simlib.nearest(embedded, "average_colours", path),
    )


def test_two_columns_of_a_frame_keep_their_own_encoders(tmp_path):
    image_df = pd.DataFrame({"img_path": draw_pictures(tmp_path, 6)})
    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    embedded = simlib.embed(embedded, simlib.load_encoder("pixels", size=(4, 4)), progress=False)
    path = image_df["img_path"].iloc[2]
    for column in ("average_colours", "flattened_pixels"):
        filtered = embedded[embedded.index != 0]
        assert simlib.nearest(filtered, column, path, k=1)["index"].item() == 2


# Many queries at once


@pytest.mark.parametrize("chunk_bytes", [2**26, 3_000])
def test_blocks_of_queries_find_what_each_finds_alone(matrix, monkeypatch, chunk_bytes):
    monkeypatch.setattr(exact, "CHUNK_BYTES", chunk_bytes)
    rows = matrix.copy()
    rows[[3, 50]] = 0
    rows[7, 2] = np.nan
    frame = frame_of(rows)
    embeddings = exact.Embeddings.of(frame, "own")
    usable = embeddings.some(embeddings.have_direction())
    assert len(usable) == 197
    for k in (1, 5, 196):
        places, similarities = exact.top_k(usable, embeddings, k)
        assert (places[:, 0] == usable.positions).all() and not np.isin(places, [3, 7, 50]).any()
        places, similarities = exact.top_k(usable, usable, k, own=np.arange(197))
        for query in range(0, 197, 20):
            alone = simlib.nearest(frame, "own", int(usable.positions[query]), k)
            assert usable.positions[places[query]].tolist() == alone["index"].tolist()
            np.testing.assert_allclose(similarities[query], alone["cosine_similarity"], atol=1e-5)


def test_of_equals_the_first_in_the_frame_are_found(matrix):
    values = np.array([[1, 3, 2, 3, 2, 2, 0], [np.nan] * 7, [5, 5, 5, 5, 5, 5, 5]])
    assert exact.best_places(values, 4)[[0, 2]].tolist() == [[1, 3, 2, 4], [0, 1, 2, 3]]
    assert len(set(exact.best_places(values, 4)[1])) == 4  # a query without a direction
    assert exact.best_places(values[:1], 7).tolist() == [[1, 3, 2, 4, 5, 0, 6]]


# Every row as a query


@pytest.mark.parametrize("chunk_bytes", [2**26, 3_000])
def test_without_queries_every_row_is_one(matrix, monkeypatch, chunk_bytes):
    monkeypatch.setattr(exact, "CHUNK_BYTES", chunk_bytes)
    cells = [row.copy() for row in matrix]
    cells[9], cells[30][2], cells[31] = np.zeros(32, np.float32), np.nan, None
    frame = pd.DataFrame({"own": cells}).sample(150, random_state=0)
    found = simlib.nearest_many(frame, "own", k=3)
    usable = [label for label in frame.index if label not in (9, 30, 31)]
    assert found["query"].drop_duplicates().tolist() == usable
    for label in usable:
        own = found[found["query"] == label].drop(columns="query").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, simlib.nearest(frame, "own", label, k=3))


def test_without_queries_a_row_finds_its_copy_but_not_itself(frame):
    doubled = pd.concat([frame.head(3), frame.head(3)])  # labels 0, 1, 2, 0, 1, 2
    found = simlib.nearest_many(doubled, "own", k=1)
    assert found["query"].tolist() == found["index"].tolist() == [0, 1, 2, 0, 1, 2]
    alone = simlib.nearest_many(frame.head(1), "own")
    assert len(alone) == 0 and "query" in alone
