"""What a user loses when these fail: vectors from elsewhere at the right pictures, and time."""

import gc
import pickle
import warnings
import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from average_colours import AverageColours
from colour_names import ColourNames
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import simlib
from simlib import columns, vectors
from simlib.columns import Embeddings, noted_encoders

MATRIX = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
ROWS = MATRIX.tolist()


@pytest.fixture
def frame():
    return pd.DataFrame({"img_path": ["a.jpg", "b.jpg", "c.jpg"]}, index=[3, 1, 2])


def matrix_after(frame, handed):
    return simlib.embedding_matrix(simlib.set_embeddings(frame, "own", handed), "own")


# Every form that vectors come in


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "handed",
    [
        MATRIX,
        MATRIX.astype(np.float64),
        MATRIX.astype(np.float16),
        MATRIX.astype(">f4"),
        MATRIX.astype(np.int16),
        MATRIX.astype(object),
        np.asfortranarray(MATRIX),
        np.repeat(MATRIX, 2, axis=1)[:, ::2],
        np.ma.masked_array(MATRIX),
        torch.tensor(MATRIX, requires_grad=True),
        torch.tensor(MATRIX, dtype=torch.bfloat16).T.contiguous().T,
        ROWS,
        tuple(map(tuple, ROWS)),
        list(MATRIX),
        list(MATRIX.astype(np.float64)),
        list(np.asfortranarray(MATRIX)),
        list(torch.tensor(MATRIX)),
        [ROWS[0], MATRIX[1], torch.tensor(ROWS[2])],
        pd.Series(ROWS),
        pd.Series(list(MATRIX), index=[3, 1, 2]),
        pd.Series([ROWS[1], ROWS[2], ROWS[0]], index=[1, 2, 3]),
        pd.Series(list(MATRIX)).to_numpy(),
        pd.DataFrame(MATRIX),
        pd.DataFrame(MATRIX, index=[3, 1, 2]),
        pd.Series(ROWS, dtype=pd.ArrowDtype(pa.list_(pa.float64()))),
        pa.array(ROWS),
        pa.array(ROWS, pa.list_(pa.float32(), 2)),
        pa.array([[0, 0], *ROWS], pa.large_list(pa.int64()))[1:],
        pa.chunked_array([ROWS[:1], [], ROWS[1:]], pa.list_(pa.float32(), 2)),
    ],
    ids=lambda handed: getattr(type(handed), "__name__", "") + str(getattr(handed, "dtype", "")),
)
def test_every_form_of_the_same_vectors_gives_the_same_column(frame, handed):
    before = pickle.dumps(frame)
    for block_values in (2**16, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vectors, "BLOCK_VALUES", block_values)
            own = simlib.set_embeddings(frame, "own", handed)
        np.testing.assert_array_equal(simlib.embedding_matrix(own, "own"), MATRIX)
        assert own.index.equals(frame.index)
        for cell in own["own"]:
            assert type(cell) is np.ndarray and cell.dtype == np.float32
            assert not cell.flags.writeable
    assert pickle.dumps(frame) == before


def test_a_memory_map_is_read_and_a_large_matrix_goes_to_disk(frame, tmp_path, monkeypatch):
    np.save(tmp_path / "own.npy", MATRIX)
    monkeypatch.setattr(columns, "ON_DISK_BYTES", 8)
    own = simlib.set_embeddings(frame, "own", np.load(tmp_path / "own.npy", mmap_mode="r"))
    assert isinstance(columns._root(Embeddings.of(own, "own").matrix), np.memmap)
    np.testing.assert_array_equal(simlib.embedding_matrix(own, "own"), MATRIX)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        dtype=st.sampled_from([np.float32, np.float64, np.int32, np.uint8, np.float16]),
        shape=st.tuples(st.integers(1, 12), st.integers(1, 9)),
        elements={"min_value": 0, "max_value": 100},
    ),
    st.integers(1, 20),
)
def test_whatever_the_numbers_a_column_of_them_is_their_matrix(matrix, block_values):
    frame = pd.DataFrame(index=[f"label {number}" for number in range(len(matrix))])
    expected = matrix.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(vectors, "BLOCK_VALUES", block_values)
        warnings.simplefilter("ignore")  # of rows that are zero
        for given_as in (matrix, list(matrix), matrix.tolist(), pa.array(matrix.tolist())):
            np.testing.assert_array_equal(matrix_after(frame, given_as), expected)
        for cells in (list(matrix), matrix.tolist(), list(matrix.T.copy().T)):
            own = frame.assign(own=pd.Series(cells, index=frame.index))
            np.testing.assert_array_equal(simlib.embedding_matrix(own, "own"), expected)


@pytest.mark.parametrize(
    "handed",
    [
        [ROWS[0], None, ROWS[2]],
        [MATRIX[0], None, MATRIX[2]],
        pd.Series([ROWS[0], float("nan"), ROWS[2]]),
        pa.array([ROWS[0], None, ROWS[2]]),
        pa.array([ROWS[0], None, ROWS[2]], pa.list_(pa.float32(), 2)),
        pa.chunked_array([[ROWS[1], ROWS[0], None], ROWS[2:]])[1:],
    ],
)
def test_a_row_without_a_vector_stays_missing(frame, handed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = simlib.set_embeddings(frame, "own", handed)
    assert own["own"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(simlib.embedding_matrix(own.dropna(), "own"), MATRIX[[0, 2]])
    assert simlib.nearest(own, "own", [1, 0]).attrs["left_out"] == 1


def test_nothing_that_happens_to_the_vectors_later_changes_the_column(frame):
    matrix, tensor = MATRIX.copy(), torch.tensor(MATRIX)
    for handed, whole in ((matrix, matrix), (list(matrix), matrix), (tensor, tensor)):
        own = simlib.set_embeddings(frame, "own", handed)
        whole[:] = 7
        np.testing.assert_array_equal(simlib.embedding_matrix(own, "own"), MATRIX)
        whole[:] = torch.tensor(MATRIX) if whole is tensor else MATRIX


def test_an_empty_frame_takes_no_vectors(frame):
    for handed in ([], np.zeros((0, 4)), pa.array([], pa.list_(pa.float32()))):
        own = simlib.set_embeddings(frame.head(0), "own", handed)
        assert len(own) == 0 and list(own) == ["img_path", "own"]


# What is refused, and what is only counted


@pytest.mark.parametrize(
    ("handed", "sentence"),
    [
        (MATRIX[:2], "2 vectors for 'own', but the frame has 3 rows"),
        (pd.Series(ROWS[:2], index=[3, 1]), "2 vectors for 'own', but the frame has 3 rows"),
        (pa.array(ROWS[:2]), "2 vectors for 'own', but the frame has 3 rows"),
        (pd.Series(ROWS, index=[7, 8, 9]), r"other labels than the frame \(7, … and 3, …\)"),
        (pd.Series(ROWS, index=[3, 3, 1]), "other labels.*to_numpy.*reindex"),
        ([[1, 2], [3], [4, 5]], "mixes embeddings of 2 and 1 values.*label 1"),
        (pa.array([[1], [2, 3], [4]]), "lists of 1 and 2 values"),
        ([[1, 2], ["a", "b"], [3, 4]], "label 1 is list, not a row of numbers"),
        ([1, 2, 3], "label 3 is int, not a row of numbers"),
        (np.zeros(3), r"shape \(3,\).*\(3, dim\)"),
        (np.zeros((3, 2, 2)), r"shape \(3, 2, 2\)"),
        (torch.zeros(3), r"shape \(3,\)"),
        (np.zeros((3, 0)), "no values"),
        ([None, None, None], "no vector at all"),
        (pa.array([None] * 3, pa.list_(pa.float32())), "no vector at all"),
        (pa.array(["a", "b", "c"]), "Arrow column.*is of string"),
        (MATRIX * 1j, "of complex64, not rows of real numbers"),
        (torch.tensor(MATRIX) * 1j, "complex64, not rows of real numbers"),
        ([torch.tensor(row) * 1j for row in MATRIX], "label 3 is Tensor, not a row of numbers"),
        (torch.eye(3).to_sparse(), "not rows of real numbers"),
        (np.array([["a"], ["b"], ["c"]]), "not rows of real numbers"),
        (MATRIX.astype("M8[s]"), "datetime64.*not rows of real numbers"),
        ((row for row in ROWS), "'generator', not rows"),
        ({3: ROWS[0]}, "'dict', not rows"),
        (None, "'NoneType', not rows"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_in_a_sentence(frame, handed, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        simlib.set_embeddings(frame, "own", handed)


def test_what_else_does_not_fit_is_named(frame):
    with pytest.raises(TypeError, match="DataFrame, but got list"):
        simlib.set_embeddings([], "own", MATRIX)
    for column in ("img_path", 7, None):
        with pytest.raises(ValueError, match="can't hold the vectors"):
            simlib.set_embeddings(frame, column, MATRIX)
    with pytest.raises(ValueError, match="2 columns of the name 'own'"):
        twice = pd.concat([frame.assign(own=1), frame[[]].assign(own=2)], axis=1)
        simlib.set_embeddings(twice, "own", MATRIX)
    with pytest.raises(TypeError, match="'clip' is not an encoder"):
        simlib.set_embeddings(frame, "own", MATRIX, encoder="clip")
    with pytest.raises(ValueError, match="2 values, but the encoder 'colour names' makes 4"):
        simlib.set_embeddings(frame, "own", MATRIX, encoder=ColourNames())


@pytest.mark.parametrize("as_given", [np.array, list, torch.tensor])
def test_vectors_without_a_direction_are_counted_once_and_left_out(frame, as_given):
    handed = as_given([[1.0, 2.0], [0.0, 0.0], [1e300, 1.0]])
    with pytest.warns(UserWarning, match="2 of 3 vectors in 'own'.*first at label 1") as caught:
        own = simlib.set_embeddings(frame, "own", handed)
    assert len(caught) == 1 and caught[0].filename == __file__
    found = simlib.nearest(own, "own", [1, 0])
    assert found["index"].tolist() == [3] and found.attrs["left_out"] == 2


# Whose vectors they are


def test_pictures_and_words_find_what_an_encoder_made_elsewhere(image_df, tmp_path):
    encoder = ColourNames()
    embedded = simlib.embed(image_df, encoder, progress=False)
    made = simlib.embedding_matrix(embedded, "colour_names").tolist()
    for column in ("colour_names", "own"):
        own = simlib.set_embeddings(image_df, column, made, encoder=encoder)
        path = image_df["img_path"].iloc[4]
        for query in ({"query": path}, {"text": "red"}):
            pd.testing.assert_frame_equal(
                simlib.nearest(own[own.index > 0], column, **query),
                simlib.nearest(embedded[embedded.index > 0], "colour_names", **query),
            )
        found = simlib.text_image_search("red", own, column)
        assert found.equals(simlib.text_image_search("red", embedded, "colour_names"))
        noted = {column: {"name": "colour names", "recipe": "colour names"}}
        assert noted_encoders(own.attrs) == noted and image_df.attrs == {}
        saved = simlib.save_embeddings(own, tmp_path / "own.parquet")
        assert noted_encoders(simlib.load_embeddings(saved).attrs) == noted


def test_vectors_from_elsewhere_do_not_pass_for_the_encoders_whose_column_they_take(image_df):
    both = simlib.embed(image_df, AverageColours(), progress=False)
    both = simlib.embed(both, ColourNames(), progress=False)
    own = simlib.set_embeddings(both, "colour_names", np.ones((len(both), 4)))
    assert set(noted_encoders(own.attrs)) == {"average_colours"}
    assert set(noted_encoders(both.attrs)) == {"average_colours", "colour_names"}
    with pytest.raises(ValueError, match="not known which"):
        simlib.nearest(own, "colour_names", image_df["img_path"].iloc[0])
    with pytest.raises(ValueError, match="not known which"):
        simlib.text_image_search("red", own, "colour_names")


# The time that they take


def test_the_first_search_finds_the_column_prepared(frame):
    own = simlib.set_embeddings(frame, "own", ROWS)
    embeddings = Embeddings.of(own, "own")
    assert embeddings.is_remembered and embeddings._norms is not None
    alive = weakref.ref(columns._root(embeddings.matrix))
    del own, embeddings
    gc.collect()
    assert alive() is None


def test_arrays_of_the_users_own_are_searched_without_a_copy_and_never_remembered():
    matrix = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    frame = pd.DataFrame({"own": list(matrix)})
    embeddings = Embeddings.of(frame, "own")
    assert embeddings._matrix is None and not embeddings.is_remembered
    ours = simlib.set_embeddings(frame, "own", matrix)
    for query in (7, matrix[3]):
        pd.testing.assert_frame_equal(
            simlib.nearest(frame, "own", query), simlib.nearest(ours, "own", query)
        )
    matrix[:] = matrix[::-1].copy()
    assert simlib.nearest(frame, "own", matrix[3], k=1)["index"].item() == 3


@pytest.mark.parametrize("scale", [1e-25, 1e-36, 1e25, 1e36])
def test_arrays_of_any_length_are_ranked_as_in_float64(scale):
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(300, 8)) * scale).astype(np.float32)
    matrix[5], matrix[6, 2], matrix[7] = 0, np.inf, 1e-42
    frame = pd.DataFrame({"own": list(matrix)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = simlib.set_embeddings(frame, "own", matrix)
    query = rng.normal(size=8)
    found = simlib.nearest(frame, "own", query, k=300)
    pd.testing.assert_frame_equal(found, simlib.nearest(ours, "own", query, k=300))
    assert found.attrs == {"left_out": 3}


@pytest.fixture
def nobody_was_warned(monkeypatch):
    monkeypatch.setattr(columns, "_warned", set())
    monkeypatch.setattr(columns, "SLOW_VALUES", 200)


@pytest.mark.parametrize("kind", ["ndarray", "list"])
def test_a_slow_column_is_warned_of_once_with_the_remedy(nobody_was_warned, kind):
    matrix = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    cells = list(matrix) if kind == "ndarray" else matrix.tolist()
    image_df = pd.DataFrame({"img_path": "a.jpg", "own": cells})
    with pytest.warns(UserWarning, match=f"'own' holds 50 cells that are {kind}s") as caught:
        simlib.nearest(image_df, "own", 0)
        simlib.nearest(image_df, "own", 1)
        simlib.nearest_many(image_df, "own", [0, 1])
    assert len(caught) == 1 and caught[0].filename == __file__
    (remedy,) = [part for part in str(caught[0].message).split(": ") if "set_embeddings" in part]
    names = {"simlib": simlib, "image_df": image_df}
    exec(remedy.removesuffix("."), names)
    columns._warned.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = simlib.nearest(names["image_df"], "own", 0)
    assert found.equals(simlib.nearest(names["image_df"], "own", 0))


def test_a_column_of_ours_or_a_small_one_is_not_warned_of(nobody_was_warned):
    matrix = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = simlib.set_embeddings(pd.DataFrame(index=range(50)), "own", matrix)
        for frame in (ours, ours.sample(frac=1, random_state=0), ours[::2]):
            simlib.nearest(frame, "own", 4)
        simlib.nearest(pd.DataFrame({"own": list(matrix[:49])}), "own", 4)
